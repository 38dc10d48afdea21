import ByteStorage
import Conversion
import Generation
import Glibc
import Inference
import Kernels
import ModelFiles
import Tensors
import Testing
import Tokenization

/// The bundled checkpoint, converted once per test run.
final class ChatModel: Sendable {
    static let shared = Result { try ChatModel().open() }
    private static let folder = "\(#filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3).joined(separator: "/"))/Tests/Fixtures/tiny-docs"

    private func open() throws -> (model: LlamaModel, tokenizer: Tokenizer) {
        var template = Array("/tmp/quern-test-XXXXXX".utf8CString)
        let folder = String(cString: try #require(mkdtemp(&template)))
        let output = "\(folder)/tiny.quern"
        // The file stays mapped; its name is not needed any more.
        defer {
            unlink(output)
            rmdir(folder)
        }
        let plan = try Preflight(folder: Self.folder, output: output, types: TypeRequest(.all(.q8)), isDryRun: false).check()
        _ = try ConversionJob(plan: plan, output: output, threads: 2, kernels: try KernelSet.selected()).run { _ in }
        let reader = try ModelFileReader(path: output)
        let model = try LlamaModel(reader: reader)
        return (model, try Tokenizer(modelFile: reader, vocabulary: model.shape.vocabulary))
    }
}
