import Glibc
package import RandomNumbers

extension SplitMix64 {
    /// Each output gives eight, its lowest byte first.
    package mutating func signedBytes(_ count: Int) -> [Int8] {
        var bytes: [Int8] = []
        while bytes.count < count { withUnsafeBytes(of: next().littleEndian) { bytes += $0.map { Int8(bitPattern: $0) } } }
        return Array(bytes.prefix(count))
    }

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
