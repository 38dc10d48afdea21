import Glibc

/// What differs between the answers of two models to the same questions.
package struct AnswerComparison: Sendable {
    package let count: Int
    /// Positions of the questions that were answered differently.
    package let changed: [Int]
    /// Right in the reference and wrong here; wrong in the reference and right here.
    package let lost, gained: Int
    package let accuracy, reference: Accuracy

    /// - Parameter reference: the same questions in the same order.
    package init(_ own: [ScoredQuestion], reference other: [ScoredQuestion]) {
        precondition(own.count == other.count && !own.isEmpty, "\(own.count) and \(other.count) answers")
        count = own.count
        changed = own.indices.filter { own[$0].choice != other[$0].choice }
        lost = own.indices.count { !own[$0].isRight && other[$0].isRight }
        gained = own.indices.count { own[$0].isRight && !other[$0].isRight }
        accuracy = Accuracy(own.map(\.isRight))
        reference = Accuracy(other.map(\.isRight))
    }

    /// Accuracy here minus that of the reference.
    package var difference: Double { Double(gained - lost) / Double(count) }
    /// Of the difference, questions paired: sqrt(lost + gained - (gained - lost)^2 / n) / n.
    package var standardError: Double {
        let net = Double(gained - lost), size = Double(count)
        return (Double(gained + lost) - net * net / size).squareRoot() / size
    }

    /// Exact two-sided p of McNemar's test: how often chance alone splits lost + gained at least as unevenly when both are equally likely.
    package var p: Double {
        let total = lost + gained, small = min(lost, gained)
        guard total > 0 else { return 1 }
        // The binomial distribution's tail, by logarithms: totals of thousands stay within range.
        var logTerm = Double(total) * log(0.5), tail = exp(logTerm)
        for k in stride(from: 1, through: small, by: 1) {
            logTerm += log(Double(total - k + 1) / Double(k))
            tail += exp(logTerm)
        }
        return min(1, 2 * tail)
    }
}
