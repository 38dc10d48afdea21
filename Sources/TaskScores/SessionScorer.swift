package import Inference
package import Kernels

/// Scores questions one after the other as the model runs. What a group's questions begin with is read once, what a question's choices begin with
/// once per question. A question's figures depend on it and on its group, not on what was scored before.
package final class SessionScorer: QuestionScorer {
    private let session: LlamaSession
    private let kernels: KernelSet
    /// What the cache holds, as far as it matters: the beginning of the group.
    private var header: [Int32] = []
    private var hasHeader = false

    /// Rows of logits that the session should have room for.
    package static let logitRows = 32

    package init(session: LlamaSession, kernels: KernelSet) {
        (self.session, self.kernels) = (session, kernels)
        session.cache.truncate(to: 0)
    }

    package func score(
        _ groups: [[TokenizedQuestion]], isDone: (Int, Int) -> Bool, found: (Int, Int, [Double]) throws -> Void, progress: (Double) -> Void
    ) throws {
        var read = 0.0
        for (group, questions) in groups.enumerated() {
            header = TokenizedQuestion.sharedPrefix(questions)
            hasHeader = false
            for (index, question) in questions.enumerated() where !isDone(group, index) {
                try found(group, index, try logLikelihoods(question))
                read += Double(question.tokens)
                progress(read)
            }
        }
    }

    private func logLikelihoods(_ question: TokenizedQuestion) throws -> [Double] {
        var sums = [Double](repeating: 0, count: question.choices.count)
        for (place, context) in question.contexts.enumerated() {
            let logits = try read(context)
            let choices = question.choices.indices.filter { question.choices[$0].context == place }
            let logSum = kernels.logSumExp(logits, count: session.model.shape.vocabulary)
            for index in choices { sums[index] = Double(logits[Int(question.choices[index].continuation[0])]) - logSum }
            for index in choices where question.choices[index].continuation.count > 1 {
                session.cache.truncate(to: context.count)
                try addTail(of: question.choices[index].continuation, to: &sums[index])
            }
        }
        return sums
    }

    /// Fills the cache with a context.
    ///
    /// - Returns: logits behind its last token.
    private func read(_ context: [Int32]) throws -> UnsafePointer<Float> {
        var start = 0
        if !header.isEmpty, context.count > header.count, context.starts(with: header) {
            start = header.count
            if hasHeader {
                session.cache.truncate(to: start)
            } else {
                session.cache.truncate(to: 0)
                _ = try feed(header[...], logits: .none)
                hasHeader = true
            }
        } else {
            session.cache.truncate(to: 0)
            hasHeader = false
        }
        return try feed(context[start...], logits: .last)
    }

    private func feed(_ tokens: ArraySlice<Int32>, logits: LlamaSession.Logits) throws -> UnsafePointer<Float> {
        var result = UnsafePointer<Float>(bitPattern: 8)!
        for first in stride(from: tokens.startIndex, to: tokens.endIndex, by: session.batch) {
            let end = min(first + session.batch, tokens.endIndex)
            result = try session.append(tokens[first..<end], logits: end == tokens.endIndex ? logits : .none)
        }
        return result
    }

    /// Adds the log-probabilities of all tokens but the first, each given those before it.
    private func addTail(of continuation: [Int32], to sum: inout Double) throws {
        let vocabulary = session.model.shape.vocabulary
        for first in stride(from: 0, to: continuation.count - 1, by: session.logitRows) {
            let end = min(first + session.logitRows, continuation.count - 1)
            let logits = try session.append(continuation[first..<end], logits: .all)
            for row in 0..<end - first {
                let values = logits + row * session.logitsStride
                sum += Double(values[Int(continuation[first + row + 1])]) - kernels.logSumExp(values, count: vocabulary)
            }
        }
    }
}
