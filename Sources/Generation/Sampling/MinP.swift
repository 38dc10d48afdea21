import Glibc

/// Keeps the tokens that are at least p times as likely as the likeliest (Nguyen et al. 2024).
struct MinP: CandidateFilter {
    private let distance: Float

    /// nil where p keeps all.
    init?(_ share: Float) {
        guard share > 0 else { return nil }
        distance = logf(min(share, 1))
    }

    func apply(to candidates: Candidates) { candidates.keepLogits(atLeast: candidates.largest + distance) }
}
