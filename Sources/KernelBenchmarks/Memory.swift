import Glibc

/// Aligned memory with values in it.
final class Memory {
    let base: UnsafeMutableRawPointer
    let count: Int

    /// Zeros, `count` bytes rounded up to 64.
    init(bytes count: Int) {
        self.count = (count + 63) / 64 * 64
        base = aligned_alloc(64, max(self.count, 64))!
        memset(base, 0, max(self.count, 64))
    }

    /// Random floats within -1...1, always the same.
    convenience init(floats count: Int) {
        self.init(bytes: count * 4)
        var state: UInt32 = 1
        for index in 0..<count {
            state = state &* 1_664_525 &+ 1_013_904_223
            floats[index] = Float(Int32(bitPattern: state)) / 2_147_483_648
        }
    }

    deinit { free(base) }

    var floats: UnsafeMutablePointer<Float> { base.assumingMemoryBound(to: Float.self) }
    var halves: UnsafeMutablePointer<UInt16> { base.assumingMemoryBound(to: UInt16.self) }
}

/// Walks through equal pieces again and again.
final class Rotation {
    private let count: Int
    private var place = 0

    init(_ count: Int) { self.count = count }

    func next() -> Int {
        place = place + 1 < count ? place + 1 : 0
        return place
    }
}
