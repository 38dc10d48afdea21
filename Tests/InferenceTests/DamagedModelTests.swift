import ByteStorage
import Glibc
import Inference
import Kernels
import ModelFiles
import Tensors
import TestSupport
import Testing

/// Damage that opening does not see, since it reads no weights: it must not become an answer.
@Suite struct DamagedModelTests {
    /// A copy of the q4 model with four bytes of a tensor overwritten by NaN.
    private func withNaN(in tensor: String, _ body: (String) throws -> Void) throws {
        let original = try BundledModel.file(.q4)
        var bytes = try BundledModel.bytes(original)
        let record = try #require(try ModelFileReader(path: original).tensor(named: tensor))
        bytes.replaceSubrange(Int(record.offset)..<Int(record.offset) + 4, with: [0, 0, 0xC0, 0x7F])
        var template = Array("/tmp/quern-test-XXXXXX".utf8CString)
        let folder = String(cString: try #require(mkdtemp(&template)))
        defer {
            unlink("\(folder)/m.quern")
            rmdir(folder)
        }
        let writer = try AtomicFileWriter(path: "\(folder)/m.quern", reserve: 0)
        try bytes.withUnsafeBytes { try writer.write($0, at: 0) }
        try writer.finish(size: UInt64(bytes.count))
        try body("\(folder)/m.quern")
    }

    @Test func normThatIsNotFinite() throws {
        try withNaN(in: "model.layers.2.input_layernorm.weight") { path in
            let reader = try ModelFileReader(path: path)
            let error = #expect(throws: InferenceError.self) { _ = try LlamaModel(reader: reader) }
            #expect("\(error!)".contains("norm 'model.layers.2.input_layernorm.weight': value 0 is nan, expected a finite number"))
        }
    }

    @Test(arguments: ["model.layers.3.self_attn.q_proj.weight", "model.layers.7.mlp.down_proj.weight", "model.layers.0.mlp.gate_proj.weight", "lm_head.weight"])
    func scaleThatIsNotFinite(tensor: String) throws {
        try withNaN(in: tensor) { path in
            let model = try LlamaModel(reader: try ModelFileReader(path: path))
            for kernels in KernelSet.available {
                let session = try LlamaSession(model: model, context: 16, element: .f16, kernels: kernels, pool: WorkerPool(threads: 1))
                let error = #expect(throws: InferenceError.self) { _ = try session.append([1, 300, 301], logits: .last) }
                #expect("\(error!)".contains("are not finite"), "\(kernels.name)")
            }
        }
    }
}
