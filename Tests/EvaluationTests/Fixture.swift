import ByteStorage
import Conversion
import Generation
import Glibc
import Inference
import Kernels
import LayerwiseInference
import ModelFiles
import StrictJSON
import Synchronization
import Tensors
import Testing
import Tokenization

/// The bundled checkpoint as it is, and converted once per storage type and test run.
enum Fixture {
    static let root = String(#filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3).joined(separator: "/"))
    static let folder = root + "/Tests/Fixtures/tiny-docs"
    static let text = folder + "/sampled.txt"
    /// Other people's texts, which lie beside the repository, not in it.
    static let evalText = root + "/../shared/texts/eval.txt"

    static func checkpoint() throws -> CheckpointSource {
        let model = try CheckpointModel.open(folder: folder, withTokenizer: false)
        return try CheckpointSource(checkpoint: model.checkpoint, configuration: model.configuration, configText: model.configText, dropsCache: true)
    }

    static func reader(_ type: StorageType) throws -> ModelFileReader { try ModelFileReader(path: try file(type)) }

    static func source(_ type: StorageType, kernels: KernelSet? = nil) throws -> ModelFileSource {
        try ModelFileSource(reader: try reader(type), kernels: try kernels ?? KernelSet.selected(), dropsCache: true)
    }

    static func ids(of path: String) throws -> [Int32] {
        let tokenizer = try Tokenizer(modelFile: reader(.q8), vocabulary: 4096)
        return tokenizer.encode(try ReadableFile(path: path).readAll(limit: 64 << 20), addBOS: true, parseSpecial: false)
    }

    static func golden(of file: String) throws -> (perplexity: Double, uncertainty: Double, windows: Int) {
        let json = try JSONReader.read(ReadableFile(path: folder + "/golden.json").readAll(limit: 1 << 24))
        let entry = try #require(json["perplexity"]?.array?.first { $0["file"]?.string == file })
        return (try #require(entry["ppl"]?.double), try #require(entry["uncertainty"]?.double), try #require(entry["windows"]?.int))
    }

    private static let files = Mutex<[StorageType: String]>([:])

    private static func file(_ type: StorageType) throws -> String {
        try files.withLock { files in
            if let file = files[type] { return file }
            var template = Array("/tmp/quern-test-XXXXXX".utf8CString)
            let output = "\(String(cString: try #require(mkdtemp(&template))))/tiny-\(type).quern"
            let plan = try Preflight(folder: folder, output: output, types: TypeRequest(.all(type)), isDryRun: false).check()
            _ = try ConversionJob(plan: plan, output: output, threads: 2, kernels: try KernelSet.selected()).run { _ in }
            files[type] = output
            atexit { Fixture.removeFiles() }
            return output
        }
    }

    private static func removeFiles() {
        files.withLock { files in
            for file in files.values {
                unlink(file)
                rmdir(AtomicFileWriter.split(file).folder)
            }
        }
    }
}
