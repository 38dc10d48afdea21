/// A sequence of tokens and, for each of its n-grams of one to three tokens, where it stood last.
///
/// *Complexity*: `append` takes constant expected time. All memory is taken at the start, 28 to 52 bytes per token of capacity.
package struct NGramIndex {
    package static let longest = 3

    /// Where the tokens that end the sequence stood before, and how many of them agree.
    package struct Match: Equatable, Sendable {
        /// Tokens that agree, 1...3.
        package var length: Int
        /// Position in the sequence of the token that followed them then.
        package var next: Int

        package init(length: Int, next: Int) { (self.length, self.next) = (length, next) }
    }

    package private(set) var tokens: [Int32] = []
    /// Of the n-grams that end at the last token, the longest that stood somewhere before, at its newest place.
    package private(set) var match: Match?
    private let capacity: Int
    private let mask: Int
    /// Open addressing with linear probing, one table per n: the position of the n-gram's last token where it stood last, or -1.
    private var tables: [Int32]

    /// - Parameter capacity: tokens that will be appended at most.
    package init(capacity: Int) {
        precondition(capacity >= 0 && capacity < 1 << 30, "an index of \(capacity) tokens")
        self.capacity = capacity
        // At most half full, so that a probe ends after a step or two.
        var slots = 16
        while slots < capacity * 2 { slots *= 2 }
        mask = slots - 1
        tables = [Int32](repeating: -1, count: slots * Self.longest)
        tokens.reserveCapacity(capacity)
    }

    package mutating func append(_ token: Int32) {
        precondition(tokens.count < capacity, "more than \(capacity) tokens")
        tokens.append(token)
        match = nil
        let end = tokens.count - 1
        for length in 1...min(Self.longest, tokens.count) {
            var slot = hash(endingAt: end, length: length) & mask
            let table = (length - 1) * (mask + 1)
            while true {
                let place = Int(tables[table + slot])
                if place < 0 { break }
                if agrees(place, end, length) {
                    match = Match(length: length, next: place + 1)
                    break
                }
                slot = (slot + 1) & mask
            }
            tables[table + slot] = Int32(end)
        }
    }

    /// How the sequence went on after `match`, into `draft`. A match that overlaps the end repeats itself.
    package func continuation(of match: Match, count: Int, into draft: inout [Int32]) {
        draft.removeAll(keepingCapacity: true)
        for index in 0..<count {
            let place = match.next + index
            draft.append(place < tokens.count ? tokens[place] : draft[place - tokens.count])
        }
    }

    private func agrees(_ first: Int, _ second: Int, _ length: Int) -> Bool {
        for back in 0..<length where tokens[first - back] != tokens[second - back] { return false }
        return true
    }

    /// SplitMix64's finalizer after each token.
    private func hash(endingAt end: Int, length: Int) -> Int {
        var value: UInt64 = 0
        for back in 0..<length {
            value = (value &+ UInt64(UInt32(bitPattern: tokens[end - back])) &+ 1) &* 0x9E37_79B9_7F4A_7C15
            value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
            value ^= value >> 31
        }
        return Int(truncatingIfNeeded: value)
    }
}
