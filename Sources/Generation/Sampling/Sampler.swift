package import Kernels
import RandomNumbers

/// Chooses tokens: adjusts logits, filters candidates, draws one. The same seed, logits and history give the same tokens on every machine.
///
/// Order: logit bias; repetition, frequency and presence penalty; DRY; top-k; typical-p; top-p; min-p; temperature. Each filter sees the
/// probabilities, at temperature 1, of what the earlier ones left.
///
/// All memory is taken at the start. *Threads*: one caller at a time.
package final class Sampler {
    package let options: SamplingOptions
    private let vocabulary: Int
    private let kernels: KernelSet
    private let history: TokenHistory
    private let adjustments: [any LogitAdjustment]
    private let filters: [any CandidateFilter]
    private let candidates: Candidates?
    /// Logits after the adjustments; nil where there are none.
    private let adjusted: UnsafeMutablePointer<Float>?
    private var random: SplitMix64

    /// - Parameters:
    ///   - history: tokens of the prompt.
    ///   - room: tokens that will be chosen at most.
    ///   - breaks: whether repetitions end at a token, for DRY.
    package init(
        _ options: SamplingOptions, vocabulary: Int, kernels: KernelSet, history: [Int32] = [], room: Int = 0, breaks: (Int32) -> Bool = { _ in false }
    ) {
        precondition(vocabulary > 0, "no logits")
        precondition(
            options.temperature >= 0 && options.topK >= 0 && options.topP > 0 && options.minP >= 0 && options.typicalP > 0
                && options.repetitionPenalty > 0 && options.dry.multiplier >= 0, "sampling options \(options)")
        self.options = options
        self.vocabulary = vocabulary
        self.kernels = kernels
        self.history = TokenHistory(history, room: room, window: options.hasPenalties ? options.penaltyWindow ?? .max : nil, vocabulary: vocabulary)
        var adjustments: [any LogitAdjustment] = []
        if !options.logitBias.isEmpty { adjustments.append(LogitBias(options.logitBias, vocabulary: vocabulary)) }
        if options.hasPenalties { adjustments.append(TokenPenalties(options)) }
        if options.dry.multiplier > 0 {
            adjustments.append(SequencePenalty(options.dry, vocabulary: vocabulary, capacity: history.count + room, breaks: breaks))
        }
        self.adjustments = adjustments
        adjusted = adjustments.isEmpty ? nil : .allocate(capacity: vocabulary)
        let filters: [(any CandidateFilter)?] = [TopK(options.topK), TypicalP(options.typicalP), TopP(options.topP), MinP(options.minP)]
        self.filters = filters.compactMap { $0 }
        candidates = options.temperature > 0 ? Candidates(capacity: vocabulary, kernels: kernels) : nil
        random = SplitMix64(seed: options.seed)
    }

    deinit { adjusted?.deallocate() }

    /// Chooses from the logits of the whole vocabulary, which follow all tokens so far. The token counts as one of them from now on.
    package func choose(_ logits: UnsafePointer<Float>) -> Int32 {
        let token = decide(logits)
        history.append(token)
        return token
    }

    private func decide(_ logits: UnsafePointer<Float>) -> Int32 {
        let logits = adjust(logits)
        guard let candidates = filter(logits) else { return Self.argmax(logits, count: vocabulary, kernels: kernels) }
        return candidates.draw(temperature: options.temperature, uniform: random.uniform())
    }

    /// The logits, or a copy that was changed.
    private func adjust(_ logits: UnsafePointer<Float>) -> UnsafePointer<Float> {
        guard let adjusted else { return logits }
        adjusted.update(from: logits, count: vocabulary)
        for adjustment in adjustments { adjustment.adjust(adjusted, after: history) }
        // Where a bias bans every token there is nothing to choose from but all of them.
        return kernels.largest(adjusted, count: vocabulary) > -.infinity ? UnsafePointer(adjusted) : logits
    }

    /// nil at temperature 0.
    private func filter(_ logits: UnsafePointer<Float>) -> Candidates? {
        guard let candidates else { return nil }
        candidates.reset(to: logits)
        for filter in filters { filter.apply(to: candidates) }
        return candidates
    }

    /// What `choose` would draw from: tokens by id and their probabilities. Nothing is drawn.
    package func distribution(_ logits: UnsafePointer<Float>) -> [(id: Int32, probability: Double)] {
        let logits = adjust(logits)
        guard let candidates = filter(logits) else { return [(Self.argmax(logits, count: vocabulary, kernels: kernels), 1)] }
        return candidates.probabilities(temperature: options.temperature)
    }

    /// The likeliest token; the lowest id of equals.
    package static func argmax(_ logits: UnsafePointer<Float>, count: Int, kernels: KernelSet = .available[0]) -> Int32 {
        precondition(count > 0, "no logits")
        let largest = kernels.largest(logits, count: count)
        var index = 0
        while index + 16 <= count, !any(UnsafeRawPointer(logits + index).loadUnaligned(as: SIMD16<Float>.self) .== largest) { index += 16 }
        while index < count - 1, logits[index] != largest { index += 1 }
        return Int32(index)
    }
}
