import Generation
import Testing

@Suite struct SamplerTests {
    private let logits: [Float] = [0, 2, 1, 2, -1, 0.5]

    private func draws(_ options: SamplingOptions, count: Int = 2000) -> [Int32: Int] {
        var sampler = Sampler(options)
        var counts: [Int32: Int] = [:]
        for _ in 0..<count { counts[logits.withUnsafeBufferPointer { sampler.choose($0.baseAddress!, count: $0.count) }, default: 0] += 1 }
        return counts
    }

    @Test func temperatureZeroTakesTheFirstOfTheLikeliest() { #expect(draws(SamplingOptions(), count: 10) == [1: 10]) }

    @Test func sameSeedSameTokens() {
        let options = SamplingOptions(temperature: 1, seed: 7)
        #expect(draws(options) == draws(options))
        #expect(draws(options) != draws(SamplingOptions(temperature: 1, seed: 8)))
    }

    @Test func topKKeepsK() { #expect(Set(draws(SamplingOptions(temperature: 1, topK: 3, seed: 1)).keys) == [1, 3, 2]) }

    @Test func topPKeepsTheSmallestSetThatReachesP() {
        // softmax: 0.360, 0.360, 0.133, 0.080, 0.049, 0.018
        #expect(Set(draws(SamplingOptions(temperature: 1, topP: 0.3, seed: 1)).keys) == [1])
        #expect(Set(draws(SamplingOptions(temperature: 1, topP: 0.75, seed: 1)).keys) == [1, 3, 2])
    }

    @Test func minPIsRelativeToTheLikeliest() { #expect(Set(draws(SamplingOptions(temperature: 1, minP: 0.3, seed: 1)).keys) == [1, 3, 2]) }

    @Test func frequenciesFollowProbabilities() {
        let counts = draws(SamplingOptions(temperature: 1, seed: 3), count: 20000)
        for (id, probability) in [(1, 0.3604), (3, 0.3604), (2, 0.1326), (5, 0.0804), (0, 0.0488), (4, 0.0179)] as [(Int32, Double)] {
            #expect(abs(Double(counts[id] ?? 0) / 20000 - probability) < 0.015, "id \(id)")
        }
    }
}
