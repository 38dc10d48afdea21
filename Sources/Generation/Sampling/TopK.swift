/// Keeps the k likeliest tokens; of equals those with the lowest ids (Fan, Lewis and Dauphin 2018).
struct TopK: CandidateFilter {
    private let limit: Int

    /// nil where k keeps all.
    init?(_ limit: Int) {
        guard limit > 0 else { return nil }
        self.limit = limit
    }

    func apply(to candidates: Candidates) { candidates.keepLikeliest(limit) }
}
