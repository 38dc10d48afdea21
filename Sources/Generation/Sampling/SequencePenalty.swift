import Glibc

/// DRY, "don't repeat yourself" (p-e-w 2024, in text-generation-webui): a token that would continue a repetition gets less likely, the more so
/// the longer the repetition is.
///
/// For a token that once followed the last n tokens of the text, n as large as possible: where n >= allowedLength, its logit loses
/// multiplier x base^(n - allowedLength). The n tokens hold no breaker.
final class SequencePenalty: LogitAdjustment {
    private let options: SamplingOptions.DRY
    private let breaks: [Bool]
    /// Length of the repetition that a token would continue; 0 outside of `adjust`.
    private var lengths: [Int32]
    private var continuing: [Int32] = []
    /// matches[back]: how many tokens before the one `back` places from the end agree with those before the end.
    private var matches: [Int32]

    /// So that sums of logits stay finite.
    static let largest: Float = 1e6

    init(_ options: SamplingOptions.DRY, vocabulary: Int, capacity: Int, breaks: (Int32) -> Bool) {
        precondition(options.allowedLength >= 1 && options.base >= 1, "DRY \(options)")
        self.options = options
        self.breaks = (0..<Int32(vocabulary)).map(breaks)
        lengths = [Int32](repeating: 0, count: vocabulary)
        matches = [Int32](repeating: 0, count: capacity)
        continuing.reserveCapacity(min(vocabulary, capacity))
    }

    func adjust(_ logits: UnsafeMutablePointer<Float>, after history: TokenHistory) {
        history.tokens.withUnsafeBufferPointer { adjust(logits, after: $0) }
    }

    private func adjust(_ logits: UnsafeMutablePointer<Float>, after tokens: UnsafeBufferPointer<Int32>) {
        let count = min(tokens.count, options.window ?? .max)
        var longest = 0
        while longest < count, !breaks[Int(tokens[tokens.count - 1 - longest])] { longest += 1 }
        guard longest >= options.allowedLength, count > options.allowedLength else { return }
        match(tokens, count)
        for back in 1..<count {
            let length = min(Int(matches[back]), longest)
            guard length >= options.allowedLength else { continue }
            let token = Int(tokens[tokens.count - back])
            if lengths[token] == 0 { continuing.append(Int32(token)) }
            lengths[token] = max(lengths[token], Int32(length))
        }
        for token in continuing {
            let penalty = options.multiplier * powf(options.base, Float(Int(lengths[Int(token)]) - options.allowedLength))
            logits[Int(token)] -= min(penalty, Self.largest)
            lengths[Int(token)] = 0
        }
        continuing.removeAll(keepingCapacity: true)
    }

    /// The Z-algorithm (Main and Lorentz 1984; Gusfield 1997) over the last `count` tokens read backwards. Linear time.
    private func match(_ tokens: UnsafeBufferPointer<Int32>, _ count: Int) {
        let last = tokens.count - 1
        matches.withUnsafeMutableBufferPointer { matches in
            var start = 0, end = 0
            for place in 1..<count {
                var length = place < end ? min(end - place, Int(matches[place - start])) : 0
                while place + length < count, tokens[last - length] == tokens[last - place - length] { length += 1 }
                matches[place] = Int32(length)
                if place + length > end { (start, end) = (place, place + length) }
            }
        }
    }
}
