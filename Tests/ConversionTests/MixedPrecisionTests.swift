import Architectures
import Conversion
import RandomNumbers
import TestSupport
import Tensors
import Testing

@Suite struct MixedPrecisionTests {
    private typealias Candidate = MixedPrecision.Candidate

    /// Tensors of random size and sensitivity; each type has about a quarter of the error per bit, with some disorder.
    private func tensors(_ count: Int, seed: UInt64) -> [[Candidate]] {
        var random = SplitMix64(seed: seed)
        let types: [(StorageType, Double)] = [(.q3, 3.3), (.q4s, 4.3), (.q4, 4.5), (.q5, 5.3), (.q6, 6.3), (.q8, 8.3)]
        return (0..<count).map { _ in
            let size = 1 + Double(random.next() % 16), sensitivity = random.uniform() + 0.01
            return types.map { type, bits in
                Candidate(type: type, bytes: UInt64(size * bits * 10), loss: sensitivity * pow4(-bits) * (0.8 + 0.4 * random.uniform()))
            }
        }
    }

    private func pow4(_ x: Double) -> Double {
        var result = 1.0, rest = -x
        while rest >= 1 { (result, rest) = (result / 4, rest - 1) }
        return result / (1 + 3 * rest)
    }

    /// Every combination, for few tensors.
    private func best(_ tensors: [[Candidate]], budget: UInt64) -> Double? {
        var best: Double?
        func choose(_ index: Int, _ bytes: UInt64, _ loss: Double) {
            if bytes > budget { return }
            guard index < tensors.count else { return best = min(best ?? loss, loss) }
            for candidate in tensors[index] { choose(index + 1, bytes + candidate.bytes, loss + candidate.loss) }
        }
        choose(0, 0, 0)
        return best
    }

    @Test func isCloseToTheBestAndWithinTheBudget() throws {
        for seed in UInt64(0)..<40 {
            let tensors = tensors(5, seed: seed), range = MixedPrecision.range(of: tensors)
            // The largest step of one tensor: greedy is at most that far from the best.
            let step = tensors.map { $0.map(\.loss).max()! - $0.map(\.loss).min()! }.max()!
            for part in [0, 1, 3, 5, 8, 10] as [UInt64] {
                let budget = range.lowerBound + (range.upperBound - range.lowerBound) * part / 10
                let plan = try #require(MixedPrecision(tensors, budget: budget)), least = try #require(best(tensors, budget: budget))
                #expect(plan.bytes <= budget)
                #expect(plan.bytes == zip(tensors, plan.choices).reduce(0) { $0 + $1.0[$1.1].bytes })
                #expect(abs(plan.loss - zip(tensors, plan.choices).reduce(0) { $0 + $1.0[$1.1].loss }) < 1e-12)
                #expect(plan.loss >= least - 1e-12 && plan.loss <= least + step, "seed \(seed), \(part): \(plan.loss), best \(least)")
                if part == 10 { #expect(abs(plan.loss - least) < 1e-12) }
            }
            #expect(MixedPrecision(tensors, budget: range.lowerBound - 1) == nil)
        }
    }

    @Test func moreBytesNeverLoseMore() throws {
        let tensors = tensors(60, seed: 7), range = MixedPrecision.range(of: tensors)
        var last = Double.infinity
        for budget in stride(from: range.lowerBound, through: range.upperBound + 100, by: 997) {
            let plan = try #require(MixedPrecision(tensors, budget: budget))
            // Filling what is left may differ by a step.
            #expect(plan.loss <= last * 1.02, "\(budget)")
            last = min(last, plan.loss)
        }
    }

    @Test func smallSensitiveTensorsGetMoreBits() throws {
        func candidates(_ size: UInt64, _ sensitivity: Double) -> [Candidate] {
            [(StorageType.q3, 3, 0.02), (.q4, 4, 0.005), (.q5, 5, 0.00125), (.q6, 6, 0.0003)].map {
                Candidate(type: $0.0, bytes: size * $0.1, loss: sensitivity * $0.2)
            }
        }
        let plan = try #require(MixedPrecision([candidates(1000, 1), candidates(10, 1), candidates(1000, 100)], budget: 9100))
        #expect(plan.choices == [0, 3, 3], "\(plan.choices)")
    }

    @Test func sensitivitiesCoverEveryKindAndCountAPlainMatrixAsOne() {
        let expected = TensorRole.allCases.map { ExpectedTensor(name: $0.rawValue, role: $0, layer: nil, shape: [16, 16]) }
        let values = TensorSensitivities(estimatedFor: expected, tied: false).values
        for (tensor, value) in zip(expected, values) { #expect((value > 0) == !tensor.role.isNorm, "\(tensor.role)") }
        let tied = TensorSensitivities(estimatedFor: expected, tied: true).values
        #expect(tied[0] == values[0] + values[values.count - 1])
    }
}
