/// The members of a JSON object in the order of the text, found by the bytes of their key.
///
/// *Complexity*: lookup and append O(1); a few members are searched one by one, without a table.
package struct JSONObject: Sendable {
    package struct Member: Sendable, Equatable {
        package let key: JSONString
        package let value: JSONValue
    }

    package private(set) var members: [Member] = []
    /// Open addressing: index into `members`, or -1. Hashed with the process's random seed, so no file can be made
    /// whose keys all collide.
    private var slots: [Int32] = []
    private static let searchedInOrder = 8

    package init() {}

    package var count: Int { members.count }
    package var isEmpty: Bool { members.isEmpty }
    package var keys: [JSONString] { members.map(\.key) }

    package subscript(_ key: JSONString) -> JSONValue? {
        key.bytes.withUnsafeBytes { position(of: $0) }.map { members[$0].value }
    }

    package subscript(_ key: String) -> JSONValue? {
        var key = key
        return key.withUTF8 { position(of: UnsafeRawBufferPointer($0)) }.map { members[$0].value }
    }

    /// False, with nothing changed, when the key is already there.
    package mutating func append(_ key: JSONString, _ value: JSONValue) -> Bool {
        guard key.bytes.withUnsafeBytes({ position(of: $0) }) == nil else { return false }
        members.append(Member(key: key, value: value))
        if members.count > Self.searchedInOrder {
            if members.count * 2 > slots.count {
                rebuildSlots()
            } else {
                insertSlot(members.count - 1)
            }
        }
        return true
    }

    /// Adds the member, or replaces the value of the one with that key where it stands.
    package mutating func set(_ key: String, _ value: JSONValue) {
        let key = JSONString(key)
        if let found = key.bytes.withUnsafeBytes({ position(of: $0) }) {
            members[found] = Member(key: key, value: value)
        } else {
            _ = append(key, value)
        }
    }

    private func position(of key: UnsafeRawBufferPointer) -> Int? {
        if slots.isEmpty { return members.firstIndex { Self.equal($0.key, key) } }
        let mask = slots.count - 1
        var slot = Self.hash(key) & mask
        while slots[slot] >= 0 {
            let candidate = Int(slots[slot])
            if Self.equal(members[candidate].key, key) { return candidate }
            slot = (slot + 1) & mask
        }
        return nil
    }

    private mutating func rebuildSlots() {
        slots = [Int32](repeating: -1, count: max(32, slots.count * 2))
        for position in members.indices { insertSlot(position) }
    }

    private mutating func insertSlot(_ position: Int) {
        let mask = slots.count - 1
        var slot = members[position].key.bytes.withUnsafeBytes { Self.hash($0) } & mask
        while slots[slot] >= 0 { slot = (slot + 1) & mask }
        slots[slot] = Int32(position)
    }

    private static func hash(_ bytes: UnsafeRawBufferPointer) -> Int {
        var hasher = Hasher()
        hasher.combine(bytes: bytes)
        return hasher.finalize()
    }

    private static func equal(_ key: JSONString, _ bytes: UnsafeRawBufferPointer) -> Bool {
        key.bytes.count == bytes.count && key.bytes.elementsEqual(bytes)
    }
}

extension JSONObject: Equatable {
    package static func == (left: JSONObject, right: JSONObject) -> Bool { left.members == right.members }
}

extension JSONObject: ExpressibleByDictionaryLiteral {
    package init(dictionaryLiteral elements: (String, JSONValue)...) {
        self.init()
        for (key, value) in elements {
            let isNew = append(JSONString(key), value)
            precondition(isNew, "the key '\(key)' is written twice")
        }
    }
}
