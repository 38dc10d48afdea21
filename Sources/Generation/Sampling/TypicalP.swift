import Glibc

/// Keeps the tokens whose surprise -ln q is nearest the expected one, the entropy, until their probabilities reach p (locally typical
/// sampling, Meister et al. 2022). The likeliest token may not be among them.
struct TypicalP: CandidateFilter {
    private let share: Double

    /// nil where p keeps all.
    init?(_ share: Float) {
        guard share < 1 else { return nil }
        self.share = Double(share)
    }

    func apply(to candidates: Candidates) {
        let (weights, total) = candidates.weigh()
        let logits = candidates.logits, largest = candidates.largest
        // -sum q ln q with q = weight / total and ln weight = logit - largest, so -ln q - entropy = center - logit.
        var sum = 0.0
        for index in 0..<candidates.count where weights[index] > 0 { sum += Double(weights[index]) * Double(logits[index] - largest) }
        let center = Float(Double(largest) + sum / total)
        candidates.keepNearest(untilWeightsReach: share * total) { abs(center - $0) }
    }
}
