import ByteStorage
import Conversion
import Foundation
import Glibc
import Kernels
package import StrictJSON
import Synchronization
package import Tensors

/// The bundled checkpoint, converted once per storage type and test run, with what transformers computed for it.
package enum BundledModel {
    package static let folder = repositoryRoot.path + "/Tests/Fixtures/tiny-docs"
    /// What the model wrote by itself.
    package static let text = folder + "/sampled.txt"
    /// Other people's texts, which lie beside the repository, not in it.
    package static let evalText = repositoryRoot.path + "/../shared/texts/eval.txt"

    private static let files = Mutex<[StorageType: String]>([:])

    /// The model file of that type; it goes away with the process.
    package static func file(_ type: StorageType) throws -> String {
        try files.withLock { files in
            if let file = files[type] { return file }
            var template = Array("/tmp/quern-test-XXXXXX".utf8CString)
            guard let made = mkdtemp(&template) else { throw Unavailable(what: "a folder in /tmp") }
            let output = "\(String(cString: made))/tiny-\(type).quern"
            let plan = try Preflight(folder: folder, output: output, types: TypeRequest(.all(type)), isDryRun: false).check()
            _ = try ConversionJob(plan: plan, output: output, threads: 2, kernels: try KernelSet.selected()).run { _ in }
            files[type] = output
            atexit { BundledModel.removeFiles() }
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

    package static func bytes(_ path: String) throws -> [UInt8] { try ReadableFile(path: path).readAll(limit: 64 << 20) }

    package static func golden() throws -> JSONValue { try JSONReader.read(bytes(folder + "/golden.json")) }

    /// What golden.json says about the perplexity of a text, by the text's file name.
    package static func goldenPerplexity(of file: String) throws -> (perplexity: Double, uncertainty: Double, windows: Int) {
        let entry = try golden()["perplexity"]?.array?.first { $0["file"]?.string == file }
        guard let perplexity = entry?["ppl"]?.double, let uncertainty = entry?["uncertainty"]?.double, let windows = entry?["windows"]?.int else {
            throw Unavailable(what: "the perplexity of \(file) in golden.json")
        }
        return (perplexity, uncertainty, windows)
    }

    package struct Unavailable: Error {
        package let what: String
    }
}
