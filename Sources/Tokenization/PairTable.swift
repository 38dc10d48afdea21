/// Maps 64-bit keys to two 32-bit numbers: open addressing, so that millions of lookups per megabyte of text stay cheap.
struct PairTable: Sendable {
    struct Value: Sendable, Equatable {
        var first: Int32
        var second: Int32
    }

    private struct Slot: Sendable {
        var key: UInt64
        var value: Value
    }

    /// No key in use has all bits set: keys are made of ids and bytes.
    private static let free = UInt64.max
    private var slots: [Slot]
    private var mask: Int
    private(set) var count = 0
    /// Random, so that a file cannot be made whose keys all collide.
    private let seed: UInt64

    init(expecting capacity: Int) {
        var size = 16
        while size < capacity * 2 { size *= 2 }
        slots = Array(repeating: Slot(key: Self.free, value: Value(first: 0, second: 0)), count: size)
        mask = size - 1
        seed = UInt64.random(in: .min ... .max) | 1
    }

    static func key(_ first: Int32, _ second: Int32) -> UInt64 {
        UInt64(UInt32(bitPattern: first)) << 32 | UInt64(UInt32(bitPattern: second))
    }

    subscript(key: UInt64) -> Value? {
        let slot = slots[position(of: key)]
        return slot.key == key ? slot.value : nil
    }

    /// A later value for the same key replaces the earlier one.
    mutating func insert(_ key: UInt64, _ value: Value) {
        precondition(key != Self.free)
        if (count + 1) * 2 > slots.count { grow() }
        let position = position(of: key)
        if slots[position].key != key { count += 1 }
        slots[position] = Slot(key: key, value: value)
    }

    private func position(of key: UInt64) -> Int {
        let product = (key ^ seed).multipliedFullWidth(by: 0x9E37_79B9_7F4A_7C15)
        var position = Int(truncatingIfNeeded: product.high ^ product.low) & mask
        while slots[position].key != key && slots[position].key != Self.free { position = (position + 1) & mask }
        return position
    }

    private mutating func grow() {
        let old = slots
        slots = Array(repeating: Slot(key: Self.free, value: Value(first: 0, second: 0)), count: old.count * 2)
        mask = slots.count - 1
        for slot in old where slot.key != Self.free { slots[position(of: slot.key)] = slot }
    }
}
