import Glibc

/// A seeded generator (Steele, Lea, Flood 2014), the same on every machine.
package struct SplitMix64: RandomNumberGenerator, Sendable {
    private var state: UInt64

    package init(seed: UInt64) { state = seed }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// Within 0 ..< 1.
    package mutating func uniform() -> Double { Double(next() >> 11) * 0x1p-53 }

    /// N(0,1), by Box and Muller.
    package mutating func gaussian() -> Double {
        let radius = (-2 * log(1 - uniform())).squareRoot()
        return radius * cos(2 * .pi * uniform())
    }

    /// Student's t with that many degrees of freedom: heavy tails.
    package mutating func student(_ degrees: Int) -> Double {
        var squares = 0.0
        for _ in 0..<degrees {
            let value = gaussian()
            squares += value * value
        }
        return gaussian() / (squares / Double(degrees)).squareRoot()
    }

    package mutating func byte() -> UInt8 { UInt8(truncatingIfNeeded: next() >> 56) }

    package mutating func gaussians(_ count: Int) -> [Float] { (0..<count).map { _ in Float(gaussian()) } }
}
