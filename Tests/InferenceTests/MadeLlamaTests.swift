import Architectures
import ByteStorage
import Conversion
import Generation
import Inference
import Kernels
import ModelFiles
import Safetensors
import StrictJSON
import Tensors
import TestSupport
import Testing
import Tokenization

/// Llama-3's shapes and scalings against transformers, on small models that are made from a seed.
@Suite struct MadeLlamaTests {
    /// A made checkpoint converted to f16.
    private struct Converted {
        let made: MadeLlama
        let scratch: TemporaryFolder
        let model: LlamaModel
        let tokenizer: Tokenizer

        init(_ name: String, type: StorageType = .f16) throws {
            made = try MadeLlama(name)
            scratch = try TemporaryFolder()
            try made.write(to: scratch.path("checkpoint"))
            let output = scratch.path("made.quern")
            let plan = try Preflight(folder: scratch.path("checkpoint"), output: output, types: TypeRequest(.all(type)), isDryRun: false).check()
            _ = try ConversionJob(plan: plan, output: output, threads: 2, kernels: try KernelSet.selected()).run { _ in }
            let reader = try ModelFileReader(path: output)
            model = try LlamaModel(reader: reader)
            tokenizer = try Tokenizer(modelFile: reader, vocabulary: model.shape.vocabulary)
        }

        func session(allLogits: Bool = false, logitRows: Int = 1, threads: Int = 2) throws -> LlamaSession {
            try LlamaSession(
                model: model, context: made.ids.count, batch: 64, allLogits: allLogits, logitRows: logitRows, element: .f32,
                kernels: try KernelSet.selected(), pool: WorkerPool(threads: threads))
        }
    }

    static func expectedLogits(_ name: String) throws -> [Float] {
        let file = try SafetensorsFile.open(MadeLlama.fixtures + "/logits.safetensors")
        let info = try #require(file.header.tensors.first { $0.name == JSONString(name) })
        var bytes = [UInt8](repeating: 0, count: Int(info.byteCount))
        try bytes.withUnsafeMutableBytes { try file.file.read(into: $0, at: info.byteOffset) }
        return bytes.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
    }

    @Test(arguments: MadeLlama.names) func frequenciesAreThoseOfTransformers(name: String) throws {
        let made = try MadeLlama(name)
        let found = made.configuration.inverseFrequencies()
        #expect(found.count == made.inverseFrequencies.count)
        for (found, expected) in zip(found, made.inverseFrequencies) { #expect(abs(found - expected) <= 4 * expected.ulp, "\(found), not \(expected)") }
    }

    @Test(arguments: MadeLlama.names) func logitsAreThoseOfTransformers(name: String) throws {
        let converted = try Converted(name), made = converted.made
        let expected = try Self.expectedLogits(name), vocabulary = made.configuration.vocabulary
        #expect(expected.count == made.rows.count * vocabulary)
        let session = try converted.session(allLogits: true)
        var worst: Float = 0
        for start in stride(from: 0, to: made.ids.count, by: 50) {
            let logits = try session.append(made.ids[start..<start + 50], logits: .all)
            for (row, position) in made.rows.enumerated() where (start..<start + 50).contains(position) {
                for id in 0..<vocabulary {
                    worst = max(worst, abs(logits[(position - start) * session.logitsStride + id] - expected[row * vocabulary + id]))
                }
            }
        }
        print("\(name), f16 weights: largest logit difference from transformers \(worst)")
        #expect(worst < 1e-4)
    }

    @Test(arguments: MadeLlama.names, [1, 2]) func greedyTokensAreThoseOfTransformers(name: String, threads: Int) throws {
        let converted = try Converted(name), made = converted.made
        for (ignoresEnd, expected) in [(true, made.greedy), (false, made.answer)] {
            for speculate in [0, 4] {
                let session = try converted.session(logitRows: speculate + 1, threads: threads)
                let summary = try TextGenerator(session: session, tokenizer: converted.tokenizer).generate(
                    prompt: Array(made.ids.prefix(made.promptTokens)), maximum: made.greedy.count, sampling: SamplingOptions(),
                    ignoresEnd: ignoresEnd, speculate: speculate
                ) { _ in true }
                #expect(summary.ids == expected)
                #expect(summary.reason == (ignoresEnd ? .tokenLimit : .endOfText))
            }
        }
    }

    @Test func tiedEmbeddingsAreStoredOnce() throws {
        let converted = try Converted("tied-llama3-rope", type: .q4)
        let names = converted.model.reader.tensors.map(\.name)
        #expect(names.contains("model.embed_tokens.weight") && !names.contains("lm_head.weight"))
        // It is the output head as well, so it has the head's type.
        #expect(converted.model.reader.tensors.first { $0.name == "model.embed_tokens.weight" }?.type == .q8)
        #expect(try Converted("untied-linear-rope", type: .q4).model.reader.tensors.map(\.name).contains("lm_head.weight"))
    }
}
