import Architectures
import ByteStorage
import Conversion
import Kernels
import LayerwiseInference
import Safetensors
import StrictJSON
import TestSupport
import Testing

/// The layer-by-layer engine on checkpoints of Llama-3's shapes, in BF16 and F16, against transformers.
@Suite struct MadeLlamaTests {
    @Test(arguments: MadeLlama.names) func streamedLogitsAreThoseOfTransformers(name: String) throws {
        let made = try MadeLlama(name), scratch = try TemporaryFolder()
        try made.write(to: scratch.path("checkpoint"))
        let opened = try CheckpointModel.open(folder: scratch.path("checkpoint"))
        let model = try CheckpointSource(
            checkpoint: opened.checkpoint, configuration: opened.configuration, configText: opened.configText, dropsCache: false)
        let found = try LayerwiseTests.logits(model, .floats, made.ids, windowSize: made.ids.count, group: 1)
        let vocabulary = made.configuration.vocabulary, stride = found.count / made.ids.count
        let file = try SafetensorsFile.open(MadeLlama.fixtures + "/logits.safetensors")
        let info = try #require(file.header.tensors.first { $0.name == JSONString(name) })
        var bytes = [UInt8](repeating: 0, count: Int(info.byteCount))
        try bytes.withUnsafeMutableBytes { try file.file.read(into: $0, at: info.byteOffset) }
        let expected = bytes.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
        var worst: Float = 0
        for (row, position) in made.rows.enumerated() {
            for id in 0..<vocabulary { worst = max(worst, abs(found[position * stride + id] - expected[row * vocabulary + id])) }
        }
        print("\(name), streamed \(made.dtype) weights: largest logit difference from transformers \(worst)")
        #expect(worst < 1e-4)
    }
}
