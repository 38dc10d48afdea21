package import Inference
package import Tokenization

/// Feeds a prompt and produces text token by token.
package final class TextGenerator {
    package enum StopReason: String, Sendable {
        case endOfText = "end of text"
        case tokenLimit = "token limit"
        case contextFull = "context full"
        case stopString = "stop string"
        case interrupted = "interrupted"
    }

    package struct Summary: Sendable {
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

        package static func perSecond(_ count: Int, _ time: Duration) -> Double {
            let seconds = Double(time.components.seconds) + Double(time.components.attoseconds) * 1e-18
            return seconds > 0 ? Double(count) / seconds : 0
        }
        package var prefillSpeed: Double { Self.perSecond(promptTokens, prefill) }
        package var decodeSpeed: Double { Self.perSecond(decodedTokens, decode) }
    }

    private let session: LlamaSession
    private let tokenizer: Tokenizer

    package init(session: LlamaSession, tokenizer: Tokenizer) {
        self.session = session
        self.tokenizer = tokenizer
    }

    /// - Parameters:
    ///   - prompt: token ids, at least one and fewer than the context holds.
    ///   - stop: texts that end the answer; they are not part of it.
    ///   - ignoresEnd: goes on after the end-of-text token.
    ///   - speculate: largest number of tokens that are drafted from earlier text and verified in one pass, 0...15; 0 drafts none. The tokens
    ///     generated are the same for each. The session holds that many rows of logits and one more.
    ///   - emit: gets text as it becomes certain; returning false ends the generation.
    package func generate(
        prompt: [Int32], maximum: Int, sampling: SamplingOptions, stop: [String] = [], ignoresEnd: Bool = false, speculate: Int = 0,
        emit: (String) -> Bool
    ) throws(InferenceError) -> Summary {
        precondition(!prompt.isEmpty, "an empty prompt")
        let cache = session.cache
        guard cache.count + prompt.count < cache.context else {
            throw .contextFull(needed: cache.count + prompt.count + 1, context: cache.context)
        }
        var summary = Summary()
        summary.promptTokens = prompt.count
        let room = min(maximum, cache.context - cache.count - prompt.count + 1)
        summary.ids.reserveCapacity(room)
        let clock = ContinuousClock()
        let start = clock.now
        var logits = UnsafePointer<Float>(bitPattern: 8)!
        for first in stride(from: 0, to: prompt.count, by: session.batch) {
            let end = min(first + session.batch, prompt.count)
            logits = try session.append(prompt[first..<end], logits: end == prompt.count ? .last : .none)
        }
        summary.prefill = clock.now - start

        var verifier = DraftVerifier(session: session, logits: logits, prompt: prompt, speculate: speculate, room: room)
        var sampler = Sampler(sampling)
        var decoder = StreamingDecoder(tokenizer, contextIsEmpty: false)
        var stops = StopStrings(stop)
        let decodeStart = clock.now
        while true {
            if summary.ids.count >= maximum { break }
            let id = sampler.choose(verifier.logits, count: session.model.shape.vocabulary)
            if !ignoresEnd, tokenizer.endIDs.contains(id) {
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
