/// The tokens of prompt and answer so far and, where penalties need it, how often each stands in the last of them.
final class TokenHistory {
    private(set) var tokens: [Int32] = []
    private let window: Int
    /// By token; empty without a window.
    private var counts: [Int32]
    /// The tokens whose count is not 0, in any order, and the place of each among them.
    private var seen: [Int32] = []
    private var places: [Int32]

    /// - Parameter window: tokens that are counted; nil counts none.
    init(_ tokens: [Int32], room: Int, window: Int?, vocabulary: Int) {
        self.window = window ?? 0
        let counted = self.window > 0 ? vocabulary : 0
        counts = [Int32](repeating: 0, count: counted)
        places = counts
        seen.reserveCapacity(min(counted, self.window))
        self.tokens.reserveCapacity(tokens.count + room)
        for token in tokens { append(token) }
    }

    func append(_ token: Int32) {
        tokens.append(token)
        guard window > 0 else { return }
        if tokens.count > window { remove(tokens[tokens.count - 1 - window]) }
        if counts[Int(token)] == 0 {
            places[Int(token)] = Int32(seen.count)
            seen.append(token)
        }
        counts[Int(token)] += 1
    }

    private func remove(_ token: Int32) {
        counts[Int(token)] -= 1
        guard counts[Int(token)] == 0 else { return }
        let place = Int(places[Int(token)]), last = seen.removeLast()
        if last != token {
            seen[place] = last
            places[Int(last)] = Int32(place)
        }
    }

    func forEachCounted(_ body: (_ token: Int, _ count: Int) -> Void) {
        for token in seen { body(Int(token), Int(counts[Int(token)])) }
    }
}

/// A step that changes logits before candidates are filtered.
protocol LogitAdjustment {
    /// *Shapes*: the logits of the whole vocabulary.
    func adjust(_ logits: UnsafeMutablePointer<Float>, after history: TokenHistory)
}
