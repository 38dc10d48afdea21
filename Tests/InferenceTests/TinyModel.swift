import ByteStorage
import Conversion
import Generation
import Glibc
import Inference
import Kernels
import ModelFiles
import StrictJSON
import Synchronization
import Tensors
import Testing
import Tokenization

/// The bundled checkpoint, converted once per storage type and test run, with what transformers computed for it.
struct TinyModel {
    static let root = String(#filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3).joined(separator: "/"))
    static let folder = root + "/Tests/Fixtures/tiny-docs"
    /// Other people's texts, which lie beside the repository, not in it.
    static let evalText = root + "/../shared/texts/eval.txt"

    let model: LlamaModel
    let tokenizer: Tokenizer

    init(_ type: StorageType) throws {
        let reader = try ModelFileReader(path: try Self.file(type))
        model = try LlamaModel(reader: reader)
        tokenizer = try Tokenizer(modelFile: reader, vocabulary: model.shape.vocabulary)
    }

    private static let files = Mutex<[StorageType: String]>([:])

    static func file(_ type: StorageType) throws -> String {
        try files.withLock { files in
            if let file = files[type] { return file }
            var template = Array("/tmp/quern-test-XXXXXX".utf8CString)
            let folder = String(cString: try #require(mkdtemp(&template)))
            let output = "\(folder)/tiny-\(type).quern"
            let plan = try Preflight(folder: Self.folder, output: output, types: TypeRequest(.all(type)), isDryRun: false).check()
            _ = try ConversionJob(plan: plan, output: output, threads: 2, kernels: try KernelSet.selected()).run { _ in }
            files[type] = output
            atexit { TinyModel.removeFiles() }
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

    func session(
        context: Int = 512, batch: Int = 64, allLogits: Bool = false, logitRows: Int = 1, element: KeyValueCache.Element = .f16,
        precision: ProductPrecision = .exact, threads: Int = 2, kernels: KernelSet? = nil
    ) throws -> LlamaSession {
        try LlamaSession(
            model: model, context: context, batch: batch, allLogits: allLogits, logitRows: logitRows, element: element,
            precision: precision, kernels: try kernels ?? KernelSet.selected(), pool: WorkerPool(threads: threads))
    }

    static func bytes(_ path: String) throws -> [UInt8] { try ReadableFile(path: path).readAll(limit: 64 << 20) }

    static func golden() throws -> JSONValue { try JSONReader.read(bytes(folder + "/golden.json")) }

    /// (file, perplexity) as golden.json has it.
    static func goldenPerplexity(of file: String) throws -> (perplexity: Double, uncertainty: Double, windows: Int) {
        let entry = try #require(golden()["perplexity"]?.array?.first { $0["file"]?.string == file })
        return (try #require(entry["ppl"]?.double), try #require(entry["uncertainty"]?.double), try #require(entry["windows"]?.int))
    }
}
