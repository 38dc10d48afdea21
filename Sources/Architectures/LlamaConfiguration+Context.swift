/// How many positions a run gets.
extension LlamaConfiguration {
    package static let mostDefaultContext = 4096
    /// A run may have this many times the positions of the config. Beyond what a model was trained on its answers soon get useless, but
    /// configs are known that admit only half or a quarter of it.
    package static let contextExcess = 4

    /// What the model's base was trained on, where that is known to be more than the config says: some fine-tuned models of LLaMA-2-70B
    /// (4096 positions), med42-70b among them, say 2048. Smaller ones cannot be told from LLaMA-1, which was trained on 2048.
    package var baseContext: Int? {
        let isLlama2With70B = hiddenSize == 8192 && layers == 80 && heads == 64 && keyValueHeads == 8 && (32000..<32256).contains(vocabulary)
            && ropeTheta == 10000 && ropeScaling == .none
        return isLlama2With70B && contextLength < 4096 ? 4096 : nil
    }

    /// Positions of a run that asks for none: what the model was made for, at most 4096.
    package var defaultContext: Int { max(2, min(baseContext ?? contextLength, Self.mostDefaultContext)) }

    /// Positions that a run may ask for.
    package var largestContext: Int {
        // A linear scaling may or may not be counted in the config.
        var stretched = contextLength
        if case .linear(let factor) = ropeScaling { stretched = Int(Double(contextLength) * min(factor, 1024)) }
        return max(stretched, Self.contextExcess * contextLength, baseContext ?? 2, 2)
    }

    /// Why a context of so many positions cannot be run with this model; nil if it can.
    package func contextFault(_ positions: Int) -> String? {
        guard positions > largestContext else { return nil }
        return "--context: \(positions) positions, expected at most \(largestContext): the model's config.json says that it was made for \(contextLength); choose fewer"
    }
}
