/// Makes tokens that stand in the window less likely: first the repetition penalty, then frequency and presence.
struct TokenPenalties: LogitAdjustment {
    private let repetition, frequency, presence: Float

    init(_ options: SamplingOptions) {
        repetition = options.repetitionPenalty
        frequency = options.frequencyPenalty
        presence = options.presencePenalty
    }

    func adjust(_ logits: UnsafeMutablePointer<Float>, after history: TokenHistory) {
        history.forEachCounted { token, count in
            let logit = logits[token]
            logits[token] = (logit > 0 ? logit / repetition : logit * repetition) - Float(count) * frequency - presence
        }
    }
}
