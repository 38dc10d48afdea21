/// Drafts the next tokens from how the text went on before, for one batched pass to verify.
///
/// A draft is as long as it pays: from the share of drafted tokens that were right after matches of this length, and from what a further
/// token in a pass costs on this machine, both measured as generation goes on. Neither changes a token that is generated.
package struct PromptLookup {
    /// The largest draft: with the token before it, the rows that one pass computes with the same bits as a pass for each.
    package static let largestDraft = 15
    package static let defaultDraft = 8

    /// What drafting came to.
    package struct Figures: Sendable, Equatable {
        package var drafted = 0
        package var accepted = 0
        /// Passes that carried a draft.
        package var passes = 0

        package var acceptance: Double { drafted > 0 ? Double(accepted) / Double(drafted) : 0 }
    }

    package private(set) var figures = Figures()
    /// The current draft; empty when none pays.
    package private(set) var draft: [Int32] = []
    private var index: NGramIndex
    private let limit: Int
    private var gain = DraftGain()
    private var matched = 0

    /// - Parameters:
    ///   - limit: tokens in a draft at most, 1...15.
    ///   - capacity: tokens of prompt and answer at most.
    package init(limit: Int, capacity: Int) {
        precondition((1...Self.largestDraft).contains(limit), "drafts of \(limit) tokens")
        self.limit = limit
        index = NGramIndex(capacity: capacity)
        draft.reserveCapacity(limit)
    }

    /// A token of the prompt or the answer.
    package mutating func append(_ token: Int32) { index.append(token) }

    /// Makes `draft`, of at most `room` tokens.
    package mutating func makeDraft(room: Int) {
        draft.removeAll(keepingCapacity: true)
        guard let match = index.match else { return }
        let count = gain.bestCount(matched: match.length, limit: min(limit, room))
        guard count > 0 else { return gain.skip(matched: match.length) }
        matched = match.length
        index.continuation(of: match, count: count, into: &draft)
        figures.drafted += count
        figures.passes += 1
    }

    /// The draft's first token was verified.
    package mutating func accept() {
        figures.accepted += 1
        gain.observe(matched: matched, right: true)
    }

    package mutating func reject() { gain.observe(matched: matched, right: false) }

    /// A pass over the draft and the token before it, or over that token alone, took this long.
    package mutating func passed(seconds: Double) { gain.passed(drafted: draft.count, seconds: seconds) }
}

/// What a draft is worth: expected tokens per unit of time, for each length that it may have.
package struct DraftGain: Sendable {
    /// Chance that a drafted token is right, given that those before it were, by the length of the match.
    private var chance: [Double]
    /// What a further token adds to a pass, as a part of what a pass for one token takes.
    private var marginalCost: Double
    private var secondsAlone = 0.0

    // Before anything is known: decoding is bound by memory, so that a further token is cheap.
    private static let firstChance = [0.2, 0.5, 0.7], firstCost = 0.1
    /// Weight of a new observation.
    private static let weight = 0.125
    /// Each time that nothing is drafted, estimates go back this far to the first ones: after a while drafting is tried again.
    private static let forgetting = 1.0 / 64

    package init() {
        chance = Self.firstChance
        marginalCost = Self.firstCost
    }

    /// The draft length, 0...limit, with the most expected tokens per time; 0 when plain decoding is as fast or its
    /// time is not known yet.
    package func bestCount(matched: Int, limit: Int) -> Int {
        // A pass without a draft comes first: what drafts cost is measured against it.
        guard secondsAlone > 0 else { return 0 }
        let chance = chance[matched - 1]
        var (best, bestSpeed) = (0, 1.0)
        var (tokens, power) = (1.0, 1.0)
        for count in stride(from: 1, through: limit, by: 1) {
            power *= chance
            tokens += power
            let speed = tokens / (1 + marginalCost * Double(count))
            if speed > bestSpeed { (best, bestSpeed) = (count, speed) }
        }
        return best
    }

    package mutating func observe(matched: Int, right: Bool) {
        // Never certain of either: one surprise must not take long to be believed.
        chance[matched - 1] = min(0.98, max(0.01, chance[matched - 1] + Self.weight * ((right ? 1 : 0) - chance[matched - 1])))
    }

    package mutating func skip(matched: Int) {
        chance[matched - 1] += Self.forgetting * (Self.firstChance[matched - 1] - chance[matched - 1])
        marginalCost += Self.forgetting * (Self.firstCost - marginalCost)
    }

    package mutating func passed(drafted: Int, seconds: Double) {
        if drafted == 0 {
            secondsAlone += (secondsAlone == 0 ? 1 : Self.weight) * (seconds - secondsAlone)
        } else if secondsAlone > 0 {
            // One pass that the system interrupts says little.
            let cost = min(1.5, max(0.01, (seconds / secondsAlone - 1) / Double(drafted)))
            marginalCost += Self.weight * (cost - marginalCost)
        }
    }
}
