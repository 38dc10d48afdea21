import ByteStorage
import Generation
import Inference
import Kernels
import Safetensors
import StrictJSON
import Tensors
import TestSupport
import Testing
import Tokenization

/// Agreement with transformers, which computed in fp32 on the same fp16 weights.
@Suite struct GoldenTests {
    @Test(arguments: [1, 2]) func logitsOfUnquantizedWeights(threads: Int) throws {
        let file = try SafetensorsFile.open(BundledModel.folder + "/logits.safetensors")
        func tensor(_ name: String) throws -> [UInt8] {
            let info = try #require(file.header.tensors.first { $0.name == JSONString(name) })
            var bytes = [UInt8](repeating: 0, count: Int(info.byteCount))
            try bytes.withUnsafeMutableBytes { try file.file.read(into: $0, at: info.byteOffset) }
            return bytes
        }
        let ids = try tensor("ids").withUnsafeBytes { Array($0.bindMemory(to: Int32.self)) }
        let expected = try tensor("logits").withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
        let tiny = try TinyModel(.f16)
        let vocabulary = tiny.model.shape.vocabulary
        for element in KeyValueCache.Element.allCases {
            let session = try tiny.session(batch: 100, allLogits: true, element: element, threads: threads)
            var worst: Float = 0
            for start in stride(from: 0, to: ids.count, by: 100) {
                let end = min(start + 100, ids.count)
                let logits = try session.append(ids[start..<end], logits: .all)
                for row in start..<end {
                    for id in 0..<vocabulary {
                        worst = max(worst, abs(logits[(row - start) * session.logitsStride + id] - expected[row * vocabulary + id]))
                    }
                }
            }
            print("f16 weights, \(element) cache: largest logit difference from transformers \(worst)")
            // What is tested is the model's arithmetic, not the cache's rounding, which has its own bound.
            #expect(worst < (element == .f32 ? 5e-4 : element == .f16 ? 2e-2 : 0.5))
        }
    }

    @Test func greedyTexts() throws {
        let tiny = try TinyModel(.f16)
        let cases = try #require(BundledModel.golden()["greedy"]?.array)
        #expect(cases.count == 5)
        for golden in cases {
            let ids = try #require(golden["ids"]?.array).map { Int32(try #require($0.int)) }
            let expected = try #require(golden["greedy"]?.array).map { Int32(try #require($0.int)) }
            let prompt = try #require(golden["prompt"]?.string)
            #expect(tiny.tokenizer.encode(prompt, addBOS: true, parseSpecial: false) == ids)
            for threads in [1, 2] {
                let generator = TextGenerator(session: try tiny.session(element: .f32, threads: threads), tokenizer: tiny.tokenizer)
                let summary = try generator.generate(prompt: ids, maximum: expected.count, sampling: SamplingOptions(), ignoresEnd: true) { _ in true }
                #expect(summary.ids == expected, "\(prompt)")
            }
        }
    }
}
