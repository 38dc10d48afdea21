import CKernels
import Glibc
import Kernels
import RandomNumbers
import TestSupport
import Testing

private let counts = [1, 2, 15, 16, 17, 31, 32, 33, 64, 127, 128, 129, 1000, 4096]

/// Runs the same operation on every set and returns the common result; reports sets that differ.
private func common(_ note: String, _ operation: (KernelSet) -> [Float]) -> [Float] {
    let expected = operation(scalar)
    for kernels in others {
        let difference = firstDifference(expected, operation(kernels))
        #expect(difference == nil, "\(kernels.name) \(note)")
    }
    return expected
}

@Suite struct ActivationTests {
    @Test func quantizationMatchesItsDefinition() {
        var random = SplitMix64(seed: 1)
        var samples = counts.map { count in random.gaussians(count) }
        samples.append([Float](repeating: 0, count: 100))
        samples.append((0..<96).map { $0 < 32 ? 1e-31 : $0 < 64 ? 3e38 : 1e-29 })
        samples.append((0..<64).map { $0 == 40 ? -7 : 0 })
        samples.append((0..<127).map { (Float($0) - 63) / 2 })  // ties
        for values in samples {
            let expected = quantizedReference(values), padded = expected.codes.count
            for name in KernelSet.available.map(\.name) {
                let x = GuardedMemory(values), codes = GuardedMemory(count: padded), biased = GuardedMemory(count: padded), scales = GuardedMemory(count: padded / 8), sums = GuardedMemory(count: padded / 4)
                ck_find(name)!.pointee.quantize_activations(
                    x.floats, Int64(values.count), Int64(padded), codes.base.assumingMemoryBound(to: Int8.self),
                    biased.base.assumingMemoryBound(to: UInt8.self), scales.floats,
                    sums.base.assumingMemoryBound(to: Int32.self))
                #expect(codes.array(of: Int8.self) == expected.codes, "\(name), \(values.count) values")
                #expect(biased.array(of: UInt8.self) == expected.codes.map { UInt8(Int($0) + 128) }, "\(name), \(values.count) values")
                #expect(firstDifference(scales.array(of: Float.self), expected.scales) == nil, "\(name), \(values.count) values")
                #expect(sums.array(of: Int32.self) == expected.sums, "\(name), \(values.count) values")
                #expect(codes.isIntact && scales.isIntact && sums.isIntact, "\(name)")
            }
        }
    }

    @Test func rmsNorm() {
        var random = SplitMix64(seed: 2)
        for count in counts {
            let x = random.gaussians(count).map { $0 * 3 }, weight = random.gaussians(count)
            let got = common("rmsNorm \(count)") { kernels in
                let input = GuardedMemory(x), weights = GuardedMemory(weight), out = GuardedMemory(count: 4 * count)
                kernels.rmsNorm(input.floats, weight: weights.floats, count: count, epsilon: 1e-5, into: out.floats)
                kernels.rmsNorm(input.floats, weight: weights.floats, count: count, epsilon: 1e-5, into: input.floats)
                #expect(firstDifference(out.array(of: Float.self), input.array(of: Float.self)) == nil, "in place")
                #expect(out.isIntact)
                return out.array(of: Float.self)
            }
            let mean = x.reduce(0) { $0 + Double($1) * Double($1) } / Double(count)
            for index in 0..<count {
                let expected = Double(x[index]) / (mean + 1e-5).squareRoot() * Double(weight[index])
                #expect(abs(Double(got[index]) - expected) <= abs(expected) * 2e-6 + 1e-30, "value \(index) of \(count)")
            }
        }
    }

    @Test func addition() {
        var random = SplitMix64(seed: 3)
        for count in counts {
            let x = random.gaussians(count), y = random.gaussians(count)
            let got = common("add \(count)") { kernels in
                let a = GuardedMemory(x), b = GuardedMemory(y)
                kernels.add(b.floats, to: a.floats, count: count)
                return a.array(of: Float.self)
            }
            #expect(firstDifference(got, zip(x, y).map { $0 + $1 }) == nil, "\(count)")
        }
    }

    @Test func swiglu() {
        var random = SplitMix64(seed: 4)
        let corners: [Float] = [0, -0.0, 1e-30, -1e-30, 86.9, 87.1, -86.9, -87.1, 88.5, -88.5, 200, -200, 1e30, -1e30, .leastNonzeroMagnitude]
        for count in counts {
            let gate = (0..<count).map { $0 < corners.count && count > 100 ? corners[$0] : Float(random.gaussian() * 12) }
            let up = random.gaussians(count)
            let got = common("swiglu \(count)") { kernels in
                let a = GuardedMemory(gate), b = GuardedMemory(up)
                kernels.swiglu(gate: a.floats, up: b.floats, count: count)
                #expect(a.isIntact)
                return a.array(of: Float.self)
            }
            for index in 0..<count {
                let g = Double(gate[index])
                // Where exp(-g) passes e^88 the kernel's result stays near g e^-88 instead of falling to zero.
                let floor = 1e-34 + abs(g) * 1e-37 * abs(Double(up[index]))
                let expected = g / (1 + exp(-g)) * Double(up[index])
                #expect(abs(Double(got[index]) - expected) <= abs(expected) * 1e-6 + floor, "gate \(g): \(got[index]), not \(expected)")
            }
        }
    }

    @Test func rotation() {
        var random = SplitMix64(seed: 5)
        for half in [1, 5, 15, 16, 17, 32, 40, 64] {
            let head = random.gaussians(2 * half), angles = random.gaussians(half)
            let (cosines, sines) = (angles.map { Float(cos(Double($0))) }, angles.map { Float(sin(Double($0))) })
            let got = common("rotate \(half)") { kernels in
                let a = GuardedMemory(head), c = GuardedMemory(cosines), s = GuardedMemory(sines)
                kernels.rotate(a.floats, cosines: c.floats, sines: s.floats, half: half)
                #expect(a.isIntact)
                return a.array(of: Float.self)
            }
            for i in 0..<half {
                let (a, b, c, s) = (Double(head[i]), Double(head[half + i]), Double(cosines[i]), Double(sines[i]))
                #expect(abs(Double(got[i]) - (a * c - b * s)) <= (abs(a) + abs(b)) * 2e-7)
                #expect(abs(Double(got[half + i]) - (b * c + a * s)) <= (abs(a) + abs(b)) * 2e-7)
            }
        }
    }

    @Test func logSumExp() {
        var random = SplitMix64(seed: 6)
        for count in counts + [32000] {
            for shift in [0.0, 80, -1000] {
                let values = (0..<count).map { _ in Float(random.gaussian() * 5 + shift) }
                let memory = GuardedMemory(values)
                let results = KernelSet.available.map { $0.logSumExp(memory.floats, count: count) }
                #expect(results.allSatisfy { $0.bitPattern == results[0].bitPattern }, "\(count): \(results)")
                let largest = Double(values.max()!)
                let expected = largest + log(values.reduce(0) { $0 + exp(Double($1) - largest) })
                #expect(abs(results[0] - expected) <= 2e-6, "\(count): \(results[0]), not \(expected)")
            }
        }
        let one = GuardedMemory([Float(-3e38)])
        #expect(scalar.logSumExp(one.floats, count: 1) == Double(Float(-3e38)))
    }
}
