package import Tokenization

/// A question as token ids: what a model reads and what it is asked the probability of.
package struct TokenizedQuestion: Sendable {
    package struct Choice: Sendable {
        /// Position in `contexts`.
        package let context: Int
        /// Never empty.
        package let continuation: [Int32]
    }

    /// Each at least one token. All choices share one, unless it had to be cut for a long choice more than for a short one.
    package let contexts: [[Int32]]
    package let choices: [Choice]
    /// Tokens of the context that did not fit the window.
    package let dropped: Int

    /// Splits context and continuation as lm-evaluation-harness does: both are encoded together, and the continuation is what follows as many
    /// tokens as the context has alone. Of more tokens than the window holds, the first ones are dropped; the last one is only asked for, not read.
    ///
    /// - Parameters:
    ///   - text: description, examples and question; ends with no white space.
    ///   - window: largest number of tokens that the model reads.
    package init(text: String, choices: [String], tokenizer: Tokenizer, window: Int) throws(TaskError) {
        precondition(window >= 1 && text.unicodeScalars.last?.properties.isWhitespace == false, "a window of \(window) tokens, or a context that ends with space")
        func encode(_ text: String) -> [Int32] { tokenizer.encode(text, addBOS: tokenizer.addsBegin, parseSpecial: false) }
        var contexts: [[Int32]] = [], own: [Choice] = [], dropped = 0
        let whole = encode(text)
        for choice in choices {
            let continuation = Array(encode("\(text) \(choice)").dropFirst(whole.count))
            guard !continuation.isEmpty else { throw TaskError("choice '\(choice)': no token of its own behind the question") }
            guard continuation.count <= window else { throw TaskError("choice '\(choice.prefix(60))': \(continuation.count) tokens, expected at most the window of \(window); raise --context") }
            let surplus = max(0, whole.count + continuation.count - window - 1)
            dropped = max(dropped, surplus)
            let context = Array(whole.dropFirst(surplus))
            let place = contexts.firstIndex(of: context) ?? contexts.count
            if place == contexts.count { contexts.append(context) }
            own.append(Choice(context: place, continuation: continuation))
        }
        (self.contexts, self.choices, self.dropped) = (contexts, own, dropped)
    }

    /// Positions that the longest choice takes with its context.
    package var longest: Int { choices.map { contexts[$0.context].count + $0.continuation.count - 1 }.max() ?? 0 }
    /// Tokens that are read, each context once.
    package var tokens: Int { contexts.reduce(0) { $0 + $1.count } + choices.reduce(0) { $0 + $1.continuation.count - 1 } }

    /// How many tokens all contexts of some questions begin with, at most all but one of each.
    package static func sharedPrefix(_ questions: [TokenizedQuestion]) -> [Int32] {
        // A cut context shares nothing that is worth keeping.
        let contexts = questions.filter { $0.dropped == 0 }.flatMap(\.contexts)
        guard let first = contexts.first else { return [] }
        var shared = first.dropLast()
        for context in contexts.dropFirst() {
            var count = 0
            while count < min(shared.count, context.count - 1), shared[count] == context[count] { count += 1 }
            shared = shared.prefix(count)
        }
        return Array(shared)
    }
}

/// A task cannot be scored. Subject, place, expected, found.
package struct TaskError: Error, Equatable, CustomStringConvertible {
    package var description: String
    package init(_ description: String) { self.description = description }
}
