/// Adds what was asked for to the logits of chosen tokens.
struct LogitBias: LogitAdjustment {
    private let biases: [SamplingOptions.Bias]

    init(_ biases: [SamplingOptions.Bias], vocabulary: Int) {
        precondition(biases.allSatisfy { $0.token >= 0 && Int($0.token) < vocabulary && !$0.value.isNaN && $0.value < .infinity }, "biases \(biases)")
        self.biases = biases
    }

    func adjust(_ logits: UnsafeMutablePointer<Float>, after history: TokenHistory) {
        for bias in biases { logits[Int(bias.token)] += bias.value }
    }
}
