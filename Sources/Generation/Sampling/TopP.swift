/// Keeps the fewest tokens, likeliest first, whose probabilities reach p (nucleus sampling, Holtzman et al. 2019).
struct TopP: CandidateFilter {
    private let share: Double

    /// nil where p keeps all.
    init?(_ share: Float) {
        guard share < 1 else { return nil }
        self.share = Double(share)
    }

    func apply(to candidates: Candidates) {
        let total = candidates.weigh().total
        // All that are less likely than this together have less than 1 - p: none is needed to reach p. That leaves few.
        candidates.keepWeights(atLeast: Float((1 - share) * total / Double(candidates.count)).nextDown)
        candidates.keepLikeliest(untilWeightsReach: share * total)
    }
}
