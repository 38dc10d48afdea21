import AllocationCounter
import Generation
import Inference
import Kernels
import Tensors
import Testing
import Tokenization

/// Once warm, a generated token costs no allocation. Counted on the thread that generates, which does what the other compute threads do and more.
@Suite struct AllocationTests {
    private static let counts = ConditionTrait.enabled(if: allocation_count() > 0, "the C library's allocator cannot be counted")

    private func allocations(_ body: () throws -> Void) rethrows -> Int {
        let before = allocation_count()
        try body()
        return allocation_count() - before
    }

    /// What the other tests rest on: an allocation is seen.
    @Test(counts) func anAllocationIsCounted() {
        #expect(allocations { withExtendedLifetime([UInt8](repeating: 1, count: 100_000)) {} } >= 1)
    }

    @Test(counts, arguments: [StorageType.f16, .q8, .q4], [KeyValueCache.Element.f16, .q8])
    func passesAllocateNothing(type: StorageType, element: KeyValueCache.Element) throws {
        let session = try TinyModel(type).session(element: element)
        let tokens: [Int32] = (0..<12).map { 300 + $0 * 37 }
        _ = try session.append(tokens[0..<4], logits: .last)
        let found = try allocations { for index in 4..<12 { _ = try session.append(tokens[index..<index + 1], logits: .last) } }
        #expect(found == 0)
    }

    @Test(counts, arguments: [0, 4], [Float(0), 0.9]) func generatedTokensAllocateNothing(speculate: Int, temperature: Float) throws {
        let tiny = try TinyModel(.q4)
        let prompt = tiny.tokenizer.encode(Array("If the file does not exist, an error is".utf8), addBOS: true, parseSpecial: false)
        var sampling = SamplingOptions(temperature: temperature, topK: 500, topP: 0.95, minP: 0.01, typicalP: 0.98, seed: 2)
        if temperature > 0 {
            sampling.repetitionPenalty = 1.02
            sampling.dry.multiplier = 0.2
        }
        /// Allocations between the 40th piece of text and the last.
        func afterWarmUp(_ count: Int) throws -> Int {
            let session = try tiny.session(logitRows: speculate + 1)
            var pieces = 0, start = 0, end = 0
            _ = try TextGenerator(session: session, tokenizer: tiny.tokenizer).generate(
                prompt: prompt, maximum: count, sampling: sampling, ignoresEnd: true, speculate: speculate
            ) { _ in
                pieces += 1
                if pieces == 40 { start = allocation_count() }
                end = allocation_count()
                return true
            }
            return end - start
        }
        #expect(try afterWarmUp(200) == 0)
    }
}
