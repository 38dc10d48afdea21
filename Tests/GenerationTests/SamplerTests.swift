import AllocationCounter
import Glibc
import Generation
import Kernels
import RandomNumbers
import TestSupport
import Testing

/// The chain of steps against the reference that is written out beside it.
@Suite struct SamplerTests {
    static func gaussianLogits(_ count: Int, seed: UInt64, spread: Double = 3) -> [Float] {
        var random = SplitMix64(seed: seed)
        return (0..<count).map { _ in Float(random.gaussian() * spread) }
    }

    private func distribution(
        _ options: SamplingOptions, _ logits: [Float], history: [Int32] = [], kernels: KernelSet = .available[0], breaks: (Int32) -> Bool = { _ in false }
    ) -> [(id: Int32, probability: Double)] {
        Sampler(options, vocabulary: logits.count, kernels: kernels, history: history, breaks: breaks).distribution(logits)
    }

    private func expectReference(
        _ options: SamplingOptions, _ logits: [Float], history: [Int32] = [], breaks: (Int32) -> Bool = { _ in false }
    ) {
        let expected = withoutActuallyEscaping(breaks) { ReferenceSampler(options: options, history: history, breaks: $0).distribution(logits) }
        let found = distribution(options, logits, history: history, breaks: breaks)
        #expect(found.map(\.id) == expected.map(\.id), "\(logits.count) logits, \(options)")
        for (found, expected) in zip(found, expected) {
            #expect(abs(found.probability - expected.probability) <= 3e-6 * expected.probability + 1e-12, "token \(found.id), \(options)")
        }
    }

    private static let sizes = [1, 2, 3, 15, 16, 17, 100, 1000, 4099]

    @Test(arguments: sizes) func eachFilterIsTheReference(size: Int) {
        for seed in 1...6 as ClosedRange<UInt64> {
            var random = SplitMix64(seed: seed)
            let logits = Self.gaussianLogits(size, seed: seed), share = Float(0.02 + 0.97 * random.uniform())
            let number = 1 + Int(random.uniform() * Double(size))
            for temperature in [0.3, 1, 2.5] as [Float] {
                expectReference(SamplingOptions(temperature: temperature), logits)
                expectReference(SamplingOptions(temperature: temperature, topK: number), logits)
                expectReference(SamplingOptions(temperature: temperature, topK: 1), logits)
                expectReference(SamplingOptions(temperature: temperature, topP: share), logits)
                expectReference(SamplingOptions(temperature: temperature, minP: share * share), logits)
                expectReference(SamplingOptions(temperature: temperature, typicalP: share), logits)
                expectReference(SamplingOptions(temperature: temperature, topK: number, topP: share, minP: 0.03, typicalP: 0.9), logits)
            }
        }
    }

    /// As large as the vocabulary of Llama-3, where selection has shortcuts.
    @Test func largeVocabulary() {
        let logits = Self.gaussianLogits(128_256, seed: 5, spread: 2.5)
        for options in [
            SamplingOptions(temperature: 0.8, topK: 40), SamplingOptions(temperature: 0.8, topK: 5000), SamplingOptions(temperature: 1, topK: 100_000),
            SamplingOptions(temperature: 0.7, topP: 0.5), SamplingOptions(temperature: 1, topP: 0.95), SamplingOptions(temperature: 1, topP: 0.9999),
            SamplingOptions(temperature: 1, minP: 0.05), SamplingOptions(temperature: 1, typicalP: 0.2), SamplingOptions(temperature: 1.5),
            SamplingOptions(temperature: 0.6, topK: 100, topP: 0.9, minP: 0.02, typicalP: 0.95),
        ] { expectReference(options, logits) }
    }

    /// Of equal logits those with lower ids stay.
    @Test func ties() {
        let logits = Self.gaussianLogits(700, seed: 9).map { $0.rounded() }
        for number in [1, 2, 5, 50, 333, 700] { expectReference(SamplingOptions(temperature: 1, topK: number), logits) }
        for share in [0.1, 0.33, 0.77] as [Float] { expectReference(SamplingOptions(temperature: 1, topP: share), logits) }
        for value in [0, -0.0, 3, -2e30, 1e30] as [Float] {
            let same = [Float](repeating: value, count: 33)
            #expect(distribution(SamplingOptions(temperature: 1, topK: 7), same).map(\.id) == Array(0..<7))
            #expect(distribution(SamplingOptions(temperature: 1, topP: 0.5), same).map(\.id) == Array(0..<17))
            #expect(distribution(SamplingOptions(temperature: 1, minP: 1), same).count == 33)
            #expect(distribution(SamplingOptions(), same).map(\.id) == [0])
        }
        #expect(distribution(SamplingOptions(temperature: 1, topK: 2), [-0.0, 0, -0.0]).map(\.id) == [0, 1])
    }

    @Test func extremes() {
        let logits: [Float] = [3e38, -3e38, 0, 3e38, -0x1p-140]
        for options in [
            SamplingOptions(temperature: 1e-30), SamplingOptions(temperature: 1e30, topP: 0.9), SamplingOptions(temperature: 1, topP: 0x1p-140),
            SamplingOptions(temperature: 1, typicalP: 1e-9), SamplingOptions(temperature: 1, topK: .max),
        ] { #expect(distribution(options, logits).first?.id == 0, "\(options)") }
        var banned = SamplingOptions(temperature: 1)
        banned.logitBias = [SamplingOptions.Bias(token: 1, value: -.infinity), SamplingOptions.Bias(token: 0, value: -.infinity)]
        #expect(distribution(banned, [1, 2, 0]).map(\.id) == [2])
        #expect(distribution(banned, [1, 2]).map(\.id) == [0, 1])
    }

    @Test func everyInstructionSetChoosesTheSame() {
        let logits = Self.gaussianLogits(3000, seed: 2)
        for options in [SamplingOptions(temperature: 0.9, topP: 0.9, typicalP: 0.9), SamplingOptions(temperature: 2, topK: 50)] {
            let expected = distribution(options, logits, kernels: KernelSet(named: "scalar")!)
            for kernels in KernelSet.available { #expect(distribution(options, logits, kernels: kernels).elementsEqual(expected, by: ==), "\(kernels.name)") }
        }
    }

    @Test func penaltiesAreTheReference() {
        for seed in 1...20 as ClosedRange<UInt64> {
            var random = SplitMix64(seed: seed)
            let logits = Self.gaussianLogits(40, seed: seed)
            let history = (0..<Int(random.uniform() * 120)).map { _ in Int32(random.uniform() * 40) }
            for window in [nil, 0, 1, 5, 64, 1000] {
                var options = SamplingOptions(temperature: 1)
                options.penaltyWindow = window
                options.repetitionPenalty = Float(0.5 + random.uniform())
                options.frequencyPenalty = Float(random.uniform() - 0.3)
                options.presencePenalty = Float(random.uniform() - 0.3)
                options.logitBias = [SamplingOptions.Bias(token: 3, value: 1.5), SamplingOptions.Bias(token: 39, value: -2)]
                expectReference(options, logits, history: history)
                options.temperature = 0
                expectReference(options, logits, history: history)
            }
        }
    }

    @Test func repeatedSequencesAreTheReference() {
        for seed in 1...40 as ClosedRange<UInt64> {
            var random = SplitMix64(seed: seed)
            let logits = Self.gaussianLogits(12, seed: seed), kinds = 2 + random.uniform() * 6
            let history = (0..<Int(random.uniform() * 90)).map { _ in Int32(random.uniform() * kinds) }
            for (allowed, window) in [(1, nil), (2, nil), (3, 20), (2, 7), (4, 1)] as [(Int, Int?)] {
                var options = SamplingOptions(temperature: 1)
                options.dry.multiplier = 0.4
                options.dry.base = 1.3
                options.dry.allowedLength = allowed
                options.dry.window = window
                expectReference(options, logits, history: history)
                expectReference(options, logits, history: history) { $0 == 1 }
            }
        }
    }

    /// "a b c a b" goes on with c: two tokens are repeated.
    @Test func penaltyOfASequence() {
        var options = SamplingOptions(temperature: 1)
        options.dry.multiplier = 1
        func logit(_ history: [Int32], _ token: Int, breaks: (Int32) -> Bool = { _ in false }) -> Double {
            let found = distribution(options, [0, 0, 0, 0], history: history, breaks: breaks)
            return Glibc.log(found[token].probability / found[3].probability)
        }
        #expect(abs(logit([0, 1, 2, 0, 1], 2) + 1) < 1e-5)
        #expect(abs(logit([1, 2, 1], 2)) < 1e-5)
        #expect(abs(logit([1, 0, 1, 2, 1, 0, 1], 2) + 1.75) < 1e-5)
        #expect(abs(logit([0, 1, 2, 0, 1], 2) { $0 == 0 }) < 1e-5)
        // What was chosen counts from then on.
        let sampler = Sampler({ var options = options; options.temperature = 0; return options }(), vocabulary: 4, kernels: .available[0], room: 5)
        let choices = [[9, 0, 0, 0], [0, 9, 0, 0], [0, 0, 9, 0], [9, 0, 0, 0], [0, 9, 0, 0]] as [[Float]]
        #expect(choices.map { sampler.choose($0) } == [0, 1, 2, 0, 1])
        #expect(sampler.choose([0, 0, 0.9, 0.1]) == 3)
    }

    /// Pearson's test of draws against the reference's probabilities. The limits are exceeded by chance once in ten thousand.
    @Test(arguments: [1, 2, 3] as [UInt64]) func drawsFollowTheDistribution(seed: UInt64) {
        let logits = Self.gaussianLogits(60, seed: seed, spread: 1.5), count = 40_000
        var penalized = SamplingOptions(temperature: 1.2, topK: 30, seed: seed)
        penalized.logitBias = [SamplingOptions.Bias(token: 7, value: 2)]
        for options in [
            SamplingOptions(temperature: 1, seed: seed), SamplingOptions(temperature: 0.6, topP: 0.9, seed: seed),
            SamplingOptions(temperature: 2, minP: 0.1, typicalP: 0.8, seed: seed), penalized,
        ] {
            let sampler = Sampler(options, vocabulary: logits.count, kernels: .available[0], room: count)
            var counts = [Int](repeating: 0, count: logits.count)
            for _ in 0..<count { counts[Int(sampler.choose(logits))] += 1 }
            var statistic = 0.0, cells = 0, restCount = 0, restExpected = 0.0
            for candidate in ReferenceSampler(options: options).distribution(logits) {
                let expected = candidate.probability * Double(count)
                if expected < 10 {
                    restCount += counts[Int(candidate.id)]
                    restExpected += expected
                } else {
                    statistic += (Double(counts[Int(candidate.id)]) - expected) * (Double(counts[Int(candidate.id)]) - expected) / expected
                    cells += 1
                }
                counts[Int(candidate.id)] = 0
            }
            #expect(counts.allSatisfy { $0 == 0 }, "a token was drawn that is no candidate: \(options)")
            if restExpected > 0 { statistic += (Double(restCount) - restExpected) * (Double(restCount) - restExpected) / restExpected }
            // Wilson and Hilferty's approximation of the 99.99 % quantile.
            let degrees = Double(cells - 1 + (restExpected > 0 ? 1 : 0)), part = 2 / (9 * degrees)
            let root = 1 - part + 3.719 * part.squareRoot()
            #expect(statistic < degrees * root * root * root, "\(statistic) with \(degrees) degrees of freedom, \(options)")
        }
    }

    /// The test above must be able to fail.
    @Test func seedsMatter() {
        let logits = Self.gaussianLogits(50, seed: 4, spread: 1)
        func draws(_ seed: UInt64) -> [Int32] {
            let sampler = Sampler(SamplingOptions(temperature: 1, seed: seed), vocabulary: logits.count, kernels: .available[0], room: 30)
            return (0..<30).map { _ in sampler.choose(logits) }
        }
        #expect(draws(7) == draws(7))
        #expect(draws(7) != draws(8))
        #expect(Set(draws(7)).count > 10)
    }

    @Test(.enabled(if: allocation_count() > 0, "the C library's allocator cannot be counted")) func choosingAllocatesNothing() {
        var options = SamplingOptions(temperature: 0.8, topK: 200, topP: 0.95, minP: 0.01, typicalP: 0.98, seed: 1)
        options.repetitionPenalty = 1.1
        options.frequencyPenalty = 0.1
        options.dry.multiplier = 0.8
        options.logitBias = [SamplingOptions.Bias(token: 5, value: 1)]
        let logits = Self.gaussianLogits(5000, seed: 1, spread: 1)
        let sampler = Sampler(options, vocabulary: logits.count, kernels: .available[0], history: [1, 2, 3, 1, 2], room: 200)
        _ = sampler.choose(logits)
        logits.withUnsafeBufferPointer { logits in
            let before = allocation_count()
            for _ in 1..<200 { _ = sampler.choose(logits.baseAddress!) }
            #expect(allocation_count() == before)
        }
    }
}
