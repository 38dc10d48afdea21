/// Finds how far down an order one has to go until a sum is reached, without sorting: a histogram of the keys' first bits says in which of its
/// bins the sum is reached, one of the next bits where in that bin, and a third ends at one key.
struct ThresholdSearch {
    struct Threshold {
        /// The largest key for which the masses of all keys from it on reach the goal; the smallest key where they never do.
        var key: UInt32
        /// Sum of the masses of larger keys.
        var above: Double
    }

    /// Keys in turn go to one of four histograms: most fall into few bins, and adding to the one just added to waits for that.
    private static let turns = 4, mostDigits = 1 << 11
    private var bins = [Double](repeating: 0, count: turns * mostDigits)

    /// Keys in the order of the floats; -0 is 0.
    static func key(_ value: Float) -> UInt32 {
        let bits = (value + 0).bitPattern
        return bits >> 31 == 0 ? bits | 0x8000_0000 : ~bits
    }

    /// The float of a key.
    static func value(_ key: UInt32) -> Float { Float(bitPattern: key >> 31 == 0 ? ~key : key & 0x7FFF_FFFF) }

    /// - Parameters:
    ///   - masses: not negative, not all 0; nil: each key counts 1.
    ///   - places: room for `count` numbers.
    mutating func find(
        _ keys: UnsafePointer<UInt32>, masses: UnsafePointer<Float>?, count: Int, places: UnsafeMutablePointer<Int32>, goal: Double
    ) -> Threshold {
        var threshold = Threshold(key: 0, above: 0)
        bins.withUnsafeMutableBufferPointer { bins in
            let bins = bins.baseAddress!
            Self.clear(bins)
            if let masses {
                for index in 0..<count { bins[Self.bin(index, keys[index] >> 21)] += Double(masses[index]) }
            } else {
                for index in 0..<count { bins[Self.bin(index, keys[index] >> 21)] += 1 }
            }
            Self.descend(bins, goal, shift: 21, digits: 1 << 11, &threshold)
            // The two other steps look only at what is in that bin. Written without a branch that would be guessed wrong.
            let first = threshold.key >> 21
            var number = 0
            for index in 0..<count {
                places[number] = Int32(truncatingIfNeeded: index)
                number += keys[index] >> 21 == first ? 1 : 0
            }
            let inBin = UnsafeBufferPointer(start: places, count: number)
            Self.step(bins, keys, masses, inBin, goal, known: 21, shift: 10, &threshold)
            Self.step(bins, keys, masses, inBin, goal, known: 10, shift: 0, &threshold)
        }
        return threshold
    }

    /// Finds the bits `shift` ..< `known` of the threshold.
    private static func step(
        _ bins: UnsafeMutablePointer<Double>, _ keys: UnsafePointer<UInt32>, _ masses: UnsafePointer<Float>?, _ places: UnsafeBufferPointer<Int32>,
        _ goal: Double, known: UInt32, shift: UInt32, _ threshold: inout Threshold
    ) {
        let digits = 1 << Int(known - shift), prefix = threshold.key >> known
        clear(bins)
        for (turn, place) in places.enumerated() where keys[Int(place)] >> known == prefix {
            bins[bin(turn, keys[Int(place)] >> shift & UInt32(digits - 1))] += masses.map { Double($0[Int(place)]) } ?? 1
        }
        descend(bins, goal, shift: shift, digits: digits, &threshold)
    }

    private static func clear(_ bins: UnsafeMutablePointer<Double>) { bins.update(repeating: 0, count: turns * mostDigits) }

    @inline(__always) private static func bin(_ index: Int, _ digit: UInt32) -> Int { (index & (turns - 1)) &* mostDigits &+ Int(digit) }

    /// Goes down the bins until the goal is reached, and makes that bin's digit a part of the threshold's key.
    private static func descend(_ bins: UnsafeMutablePointer<Double>, _ goal: Double, shift: UInt32, digits: Int, _ threshold: inout Threshold) {
        let prefix = threshold.key
        var above = threshold.above
        for digit in stride(from: digits - 1, through: 0, by: -1) {
            var mass = 0.0
            for turn in 0..<turns { mass += bins[turn * mostDigits + digit] }
            guard mass > 0 else { continue }
            // The lowest one that has keys is the last resort: sums may fall short by rounding.
            threshold.key = prefix | UInt32(digit) << shift
            threshold.above = above
            if above + mass >= goal { break }
            above += mass
        }
    }
}
