package import TaskData

/// One scored question.
package struct ScoredQuestion: Sendable {
    package let question: TaskQuestion
    /// Sum of the log-probabilities of each choice's tokens, in nats.
    package let logLikelihoods: [Double]
    /// Tokens of its context that did not fit.
    package let dropped: Int

    package init(question: TaskQuestion, logLikelihoods: [Double], dropped: Int) {
        precondition(question.choices.count == logLikelihoods.count, "\(logLikelihoods.count) figures for \(question.choices.count) choices")
        (self.question, self.logLikelihoods, self.dropped) = (question, logLikelihoods, dropped)
    }

    /// The likeliest choice; the first of equals.
    package var choice: Int { Self.largest(logLikelihoods) }
    /// The likeliest choice per character (Unicode scalar), so that long answers are no worse for being long.
    package var choiceNormalized: Int {
        Self.largest(zip(logLikelihoods, question.choices).map { $1.isEmpty ? -.infinity : $0 / Double($1.unicodeScalars.count) })
    }
    package var isRight: Bool { choice == question.answer }
    package var isRightNormalized: Bool { choiceNormalized == question.answer }

    private static func largest(_ values: [Double]) -> Int {
        var best = 0
        for index in values.indices where values[index] > values[best] { best = index }
        return best
    }
}

/// A share of right answers with its standard error.
package struct Accuracy: Sendable, Equatable {
    package let count: Int
    package let right: Int
    /// Of one subject: sample standard deviation / sqrt(n). Of several, pooled: sqrt(sum (n_i - 1) n_i e_i^2 / ((sum n_i) - k) / sum n_i), as
    /// lm-evaluation-harness does. Nil for fewer than two questions.
    package let standardError: Double?

    package var mean: Double { Double(right) / Double(count) }

    package init(_ answers: [Bool]) {
        precondition(!answers.isEmpty, "the accuracy of nothing")
        (count, right) = (answers.count, answers.count(where: { $0 }))
        let mean = Double(right) / Double(count)
        standardError = count > 1 ? (mean * (1 - mean) / Double(count - 1)).squareRoot() : nil
    }

    /// Of all questions of some subjects together.
    package init(pooling parts: [Accuracy]) {
        precondition(!parts.isEmpty, "the accuracy of nothing")
        let total = parts.reduce(0) { $0 + $1.count }
        (count, right) = (total, parts.reduce(0) { $0 + $1.right })
        guard parts.count > 1 else {
            standardError = parts[0].standardError
            return
        }
        let squares = parts.reduce(0.0) { sum, part in
            let size = Double(part.count), error = part.standardError ?? 0
            return sum + (size - 1) * size * error * error
        }
        standardError = total > parts.count ? (squares / Double(total - parts.count) / Double(total)).squareRoot() : nil
    }
}

/// The figures of one task.
package struct TaskSummary: Sendable {
    package struct Group: Sendable {
        package let subject: String?
        package let accuracy: Accuracy
        package let normalized: Accuracy
    }

    package let groups: [Group]
    package let accuracy: Accuracy
    package let normalized: Accuracy
    /// Questions whose context had to be cut.
    package let cut: Int
    /// Tokens that were cut off altogether.
    package let dropped: Int

    package init(_ results: [(subject: String?, questions: [ScoredQuestion])]) {
        groups = results.map { Group(subject: $0.subject, accuracy: Accuracy($0.questions.map(\.isRight)), normalized: Accuracy($0.questions.map(\.isRightNormalized))) }
        accuracy = Accuracy(pooling: groups.map(\.accuracy))
        normalized = Accuracy(pooling: groups.map(\.normalized))
        let all = results.flatMap(\.questions)
        cut = all.count(where: { $0.dropped > 0 })
        dropped = all.reduce(0) { $0 + $1.dropped }
    }
}
