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
        /// Forward passes behind `decode`: the first token comes from the prefill's logits.
        package var decodedTokens = 0
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
    ///   - emit: gets text as it becomes certain; returning false ends the generation.
    package func generate(
        prompt: [Int32], maximum: Int, sampling: SamplingOptions, stop: [String] = [], ignoresEnd: Bool = false, emit: (String) -> Bool
    ) throws(InferenceError) -> Summary {
        precondition(!prompt.isEmpty, "an empty prompt")
        guard session.cache.count + prompt.count < session.cache.context else {
            throw .contextFull(needed: session.cache.count + prompt.count + 1, context: session.cache.context)
        }
        var summary = Summary()
        summary.promptTokens = prompt.count
        summary.ids.reserveCapacity(min(maximum, session.cache.context))
        let clock = ContinuousClock()
        let start = clock.now
        var logits = UnsafePointer<Float>(bitPattern: 8)!
        for first in stride(from: 0, to: prompt.count, by: session.batch) {
            let end = min(first + session.batch, prompt.count)
            logits = try session.append(prompt[first..<end], logits: end == prompt.count ? .last : .none)
        }
        summary.prefill = clock.now - start

        var sampler = Sampler(sampling)
        var decoder = StreamingDecoder(tokenizer, contextIsEmpty: false)
        var stops = StopStrings(stop)
        let decodeStart = clock.now
        while true {
            if summary.ids.count >= maximum { break }
            let id = sampler.choose(logits, count: session.model.shape.vocabulary)
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
            if session.cache.count >= session.cache.context {
                summary.reason = .contextFull
                break
            }
            logits = try session.append([id], logits: .last)
            summary.decodedTokens += 1
        }
        summary.decode = clock.now - decodeStart
        if summary.reason != .stopString {
            let rest = stops.append(decoder.finish()) + stops.finish()
            if !rest.isEmpty { _ = emit(rest) }
        }
        return summary
    }
}
