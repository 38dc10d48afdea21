import ChatTemplates
package import Generation
import Inference
import Tokenization

/// How answers are made.
package struct AnswerOptions: Sendable, Equatable {
    package var sampling = SamplingOptions()
    /// Tokens of an answer at most.
    package var maximum = 1024
    /// Tokens drafted at most, as in `TextGenerator.generate`.
    package var speculate = 0
    /// Texts that end an answer, beside those of the chat format.
    package var stop: [String] = []

    package init() {}
}

/// A conversation of several turns with a model. What the cache holds of it is not computed again.
///
/// *Threads*: one caller at a time.
package final class Conversation {
    /// What an answer came to.
    package struct Turn: Sendable {
        package var text = ""
        package var summary = TextGenerator.Summary()
        /// Tokens of the prompt that were in the cache.
        package var reused = 0
        /// Questions, with their answers, that the model does not see any more since this turn.
        package var dropped = 0
        /// False when the answer was interrupted before its first text; the conversation is then as before.
        package var isKept = true
    }

    /// What the caller is told while an answer is made; each returns whether to go on.
    package struct Progress {
        /// Questions dropped, tokens reused, tokens to compute: once, before the work.
        package var begins: (_ dropped: Int, _ reused: Int, _ count: Int) -> Void
        package var prefilled: (Int) -> Bool
        package var text: (String) -> Bool

        package init(
            begins: @escaping (_ dropped: Int, _ reused: Int, _ count: Int) -> Void = { _, _, _ in }, prefilled: @escaping (Int) -> Bool = { _ in true },
            text: @escaping (String) -> Bool
        ) {
            (self.begins, self.prefilled, self.text) = (begins, prefilled, text)
        }
    }

    package let generator: TextGenerator
    package let prompt: ChatPrompt
    package var options: AnswerOptions
    package private(set) var transcript: Transcript
    /// Answers so far; each has random numbers of its own.
    private var answers: UInt64 = 0

    package init(generator: TextGenerator, prompt: ChatPrompt, transcript: Transcript = Transcript(), options: AnswerOptions = AnswerOptions()) {
        self.generator = generator
        self.prompt = prompt
        self.transcript = transcript
        self.options = options
    }

    package var context: Int { generator.session.cache.context }

    /// Sets the system message, or takes it away.
    package func setSystem(_ text: String?) { transcript.system = text }

    /// Forgets everything but the system message.
    package func reset() { replace(with: Transcript(system: transcript.system)) }

    /// Goes on with another conversation.
    package func replace(with other: Transcript) {
        transcript = other
        dropUnusedCache()
    }

    /// Forgets what the cache holds beyond the conversation: a session file must not keep what was reset.
    package func dropUnusedCache() {
        guard let ids = try? prompt.ids(transcript.visible + [ChatMessage(role: .user, content: "")]) else { return generator.truncate(to: 0) }
        generator.truncate(to: prompt.tokenizer.commonText(generator.tokens, ids).first)
    }

    /// Asks and gets the answer. After an error the conversation is as before.
    package func answer(to question: String, _ progress: Progress) throws -> Turn {
        let before = transcript
        transcript.turns.append(ChatMessage(role: .user, content: question))
        return try finish(before, progress)
    }

    /// Drops the last answer and gives another one.
    package func regenerate(_ progress: Progress) throws -> Turn {
        guard transcript.turns.last?.role == .assistant else { throw ChatError.nothingToRegenerate }
        let before = transcript
        transcript.turns.removeLast()
        // The question itself must be visible.
        transcript.dropped = min(transcript.dropped, transcript.turns.count - 1)
        return try finish(before, progress)
    }

    private func finish(_ before: Transcript, _ progress: Progress) throws -> Turn {
        do {
            let turn = try answer(progress)
            if turn.isKept { return turn }
            transcript = before
            return turn
        } catch {
            transcript = before
            throw error
        }
    }

    private func answer(_ progress: Progress) throws -> Turn {
        var turn = Turn()
        let ids: [Int32]
        (ids, turn.dropped) = try fittingPrompt()
        let fresh = reuse(for: ids)
        turn.reused = generator.tokens.count
        progress.begins(turn.dropped, turn.reused, fresh.count)
        var sampling = options.sampling
        sampling.seed &+= answers
        answers += 1
        turn.summary = try generator.generate(
            prompt: fresh, maximum: options.maximum, sampling: sampling, ends: prompt.ends, stop: options.stop + prompt.format.stopStrings,
            speculate: options.speculate, prefilled: progress.prefilled
        ) { text in
            turn.text += text
            return progress.text(text)
        }
        if turn.summary.reason == .interrupted, turn.text.allSatisfy(\.isWhitespace) {
            turn.isKept = false
            return turn
        }
        turn.text = bestSpelling(of: turn.text)
        transcript.turns.append(ChatMessage(role: .assistant, content: turn.text))
        return turn
    }

    /// Tokens that an answer should have room for.
    private var reserve: Int { min(options.maximum, max(1, context / 4)) }

    /// The prompt, after the oldest questions with their answers were dropped where the context is too small for it and an answer. Then half of
    /// the context is made free: what follows a dropped turn is computed anew, and this must not happen at every turn.
    private func fittingPrompt() throws -> (ids: [Int32], dropped: Int) {
        var ids = try prompt.ids(transcript.visible)
        var dropped = 0
        if ids.count + reserve > context {
            while ids.count > context / 2, transcript.turns.count - transcript.dropped > 1 {
                transcript.dropped += 2
                dropped += 1
                ids = try prompt.ids(transcript.visible)
            }
        }
        guard ids.count < context else { throw ChatError.messageTooLong(tokens: ids.count, context: context) }
        return (ids, dropped)
    }

    /// Leaves in the cache what the prompt begins with, also where the model had cut the text of its answer into other tokens than the tokenizer does.
    ///
    /// - Returns: what is left to feed, at least one token.
    private func reuse(for ids: [Int32]) -> [Int32] {
        let common = prompt.tokenizer.commonText(generator.tokens, ids.dropLast())
        // The model's own way may take more tokens.
        guard common.first + ids.count - common.second < context else { return Array(ids[generator.reuse(for: ids)...]) }
        generator.truncate(to: common.first)
        return Array(ids[common.second...])
    }

    /// The answer without white space around it, unless the chat format writes the answer as it is, so that the cache holds it with that space.
    private func bestSpelling(of text: String) -> String {
        let trimmed = String(String(text.drop(while: \.isWhitespace).reversed()).drop(while: \.isWhitespace).reversed())
        guard trimmed != text, !trimmed.isEmpty else { return text }
        func reused(_ content: String) -> Int {
            let messages = transcript.visible + [ChatMessage(role: .assistant, content: content), ChatMessage(role: .user, content: "")]
            guard let ids = try? prompt.ids(messages) else { return 0 }
            return prompt.tokenizer.commonText(generator.tokens, ids).first
        }
        return reused(text) > reused(trimmed) ? text : trimmed
    }
}
