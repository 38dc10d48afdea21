package import Inference
package import Tokenization

/// Feeds a prompt and produces text token by token. Knows which tokens stand in the session's cache, so that a prompt that begins like
/// them is not computed again.
///
/// *Threads*: one caller at a time.
package final class TextGenerator {
    package enum StopReason: String, Sendable {
        case endOfText = "end of text"
        case tokenLimit = "token limit"
        case contextFull = "context full"
        case stopString = "stop string"
        case interrupted = "interrupted"
    }

    package struct Summary: Sendable {
        /// Tokens that were fed before the first was chosen.
        package var promptTokens = 0
        package var ids: [Int32] = []
        package var prefill = Duration.zero
        package var decode = Duration.zero
        /// Tokens whose logits `decode` computed: the first token comes from the prefill's.
        package var decodedTokens = 0
        /// Forward passes behind `decode`.
        package var decodePasses = 0
        /// nil without speculation.
        package var lookup: PromptLookup.Figures?
        package var reason = StopReason.tokenLimit

        package init() {}

        package static func perSecond(_ count: Int, _ time: Duration) -> Double {
            let seconds = Double(time.components.seconds) + Double(time.components.attoseconds) * 1e-18
            return seconds > 0 ? Double(count) / seconds : 0
        }
        package var prefillSpeed: Double { Self.perSecond(promptTokens, prefill) }
        package var decodeSpeed: Double { Self.perSecond(decodedTokens, decode) }
    }

    package let session: LlamaSession
    package let tokenizer: Tokenizer
    /// What stands at each filled position of the cache.
    package private(set) var tokens: [Int32]

    /// - Parameter tokens: what stands in the session's cache.
    package init(session: LlamaSession, tokenizer: Tokenizer, tokens: [Int32] = []) {
        precondition(tokens.count == session.cache.count, "\(tokens.count) tokens, \(session.cache.count) positions")
        self.session = session
        self.tokenizer = tokenizer
        self.tokens = tokens
    }

    /// Keeps what the cache has in common with the start of `ids` and drops the rest.
    ///
    /// - Returns: the tokens kept, fewer than `ids` has: the last one is left to be fed, for its logits.
    package func reuse(for ids: [Int32]) -> Int {
        var common = 0
        while common < min(tokens.count, ids.count - 1), tokens[common] == ids[common] { common += 1 }
        truncate(to: common)
        return common
    }

    /// Forgets positions from `position` on.
    package func truncate(to position: Int) {
        session.cache.truncate(to: position)
        tokens.removeLast(tokens.count - position)
    }

    /// Goes on from what is in the cache.
    ///
    /// - Parameters:
    ///   - prompt: token ids, at least one, with those in the cache fewer than the context holds.
    ///   - ends: tokens that end the answer; nil takes the tokenizer's end-of-text tokens.
    ///   - stop: texts that end the answer; they are not part of it.
    ///   - ignoresEnd: goes on after the end-of-text token.
    ///   - speculate: largest number of tokens that are drafted from earlier text and verified in one pass, 0...15; 0 drafts none. The tokens
    ///     generated are the same for each. The session holds that many rows of logits and one more.
    ///   - prefilled: gets the number of prompt tokens fed so far, batch by batch; returning false ends the generation.
    ///   - emit: gets text as it becomes certain; returning false ends the generation.
    package func generate(
        prompt: [Int32], maximum: Int, sampling: SamplingOptions, ends: [Int32]? = nil, stop: [String] = [], ignoresEnd: Bool = false,
        speculate: Int = 0, prefilled: (Int) -> Bool = { _ in true }, emit: (String) -> Bool
    ) throws(InferenceError) -> Summary {
        let before = tokens.count
        do throws(InferenceError) {
            let summary = try answer(
                prompt: prompt, maximum: maximum, sampling: sampling, ends: Set(ignoresEnd ? [] : ends ?? tokenizer.endIDs), stop: stop,
                speculate: speculate, prefilled: prefilled, emit: emit)
            // The last token chosen is in the cache only where a further one was to follow it.
            tokens += (prompt + summary.ids).prefix(session.cache.count - before)
            return summary
        } catch {
            if session.cache.count > before { session.cache.truncate(to: before) }
            throw error
        }
    }

    private func answer(
        prompt: [Int32], maximum: Int, sampling: SamplingOptions, ends: Set<Int32>, stop: [String], speculate: Int, prefilled: (Int) -> Bool,
        emit: (String) -> Bool
    ) throws(InferenceError) -> Summary {
        precondition(!prompt.isEmpty, "an empty prompt")
        // A session with little context has fewer rows of logits than it was asked for.
        let speculate = min(speculate, session.logitRows - 1)
        let cache = session.cache
        guard cache.count + prompt.count < cache.context else {
            throw .contextFull(needed: cache.count + prompt.count + 1, context: cache.context)
        }
        var summary = Summary()
        let room = min(maximum, cache.context - cache.count - prompt.count + 1)
        summary.ids.reserveCapacity(room)
        let clock = ContinuousClock()
        let start = clock.now
        var logits = UnsafePointer<Float>(bitPattern: 8)!
        for first in stride(from: 0, to: prompt.count, by: session.batch) {
            let end = min(first + session.batch, prompt.count)
            logits = try session.append(prompt[first..<end], logits: end == prompt.count ? .last : .none)
            summary.promptTokens = end
            guard prefilled(end) else {
                summary.prefill = clock.now - start
                summary.reason = .interrupted
                return summary
            }
        }
        summary.prefill = clock.now - start

        var verifier = DraftVerifier(session: session, logits: logits, prompt: tokens + prompt, speculate: speculate, room: room)
        let sampler = Sampler(
            sampling, vocabulary: session.model.shape.vocabulary, kernels: session.kernels, history: tokens + prompt, room: room,
            breaks: SequenceBreakers(sampling.dry.breakers, tokenizer).contains)
        var decoder = StreamingDecoder(tokenizer, contextIsEmpty: false)
        var stops = StopStrings(stop)
        let decodeStart = clock.now
        while true {
            if summary.ids.count >= maximum { break }
            let id = sampler.choose(verifier.logits)
            if ends.contains(id) {
                summary.reason = .endOfText
                break
            }
            summary.ids.append(id)
            let text = stops.append(decoder.append(id))
            if !text.isEmpty, !emit(text) {
                summary.reason = .interrupted
                break
            }
            if stops.stopped {
                summary.reason = .stopString
                break
            }
            if summary.ids.count >= maximum { break }
            if verifier.position >= cache.context {
                summary.reason = .contextFull
                break
            }
            try verifier.advance(past: id, remaining: maximum - summary.ids.count)
            summary.decodedTokens += 1
        }
        verifier.dropUnverified()
        summary.decode = clock.now - decodeStart
        summary.decodePasses = verifier.passes
        summary.lookup = verifier.lookup?.figures
        if summary.reason != .stopString {
            let rest = stops.append(decoder.finish()) + stops.finish()
            if !rest.isEmpty { _ = emit(rest) }
        }
        return summary
    }
}
