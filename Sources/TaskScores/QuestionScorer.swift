/// Computes the log-likelihood of every choice.
package protocol QuestionScorer: AnyObject {
    /// - Parameters:
    ///   - groups: questions; those of a group begin alike.
    ///   - isDone: whether a question of a group is known already.
    ///   - found: gets group, question and the choices' log-likelihoods in nats, as they become known, in any order.
    ///   - progress: gets the tokens read so far of those that `tokens` counts.
    func score(
        _ groups: [[TokenizedQuestion]], isDone: (Int, Int) -> Bool, found: (Int, Int, [Double]) throws -> Void, progress: (Double) -> Void
    ) throws
}
