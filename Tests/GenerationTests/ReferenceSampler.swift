import Foundation
import Generation

/// What the steps of the chain say, written out with sorts and doubles, without a thought for speed.
struct ReferenceSampler {
    var options: SamplingOptions
    var history: [Int32] = []
    var breaks: (Int32) -> Bool = { _ in false }

    struct Candidate: Equatable {
        var id: Int32
        var logit: Double
        /// At temperature 1, among the candidates.
        var probability = 0.0
    }

    /// Tokens that may be drawn, by id, with their probabilities.
    func distribution(_ logits: [Float]) -> [Candidate] {
        var candidates = adjusted(logits).enumerated().map { Candidate(id: Int32($0), logit: $1) }
        if options.temperature == 0 { return [likeliestFirst(candidates)[0]].map { Candidate(id: $0.id, logit: $0.logit, probability: 1) } }
        candidates = likeliestFirst(candidates)
        if options.topK > 0 { candidates = Array(candidates.prefix(options.topK)) }
        if options.typicalP < 1 { candidates = typical(weighed(candidates)) }
        if options.topP < 1 { candidates = reaching(Double(options.topP), weighed(likeliestFirst(candidates))) }
        if options.minP > 0 {
            candidates = weighed(likeliestFirst(candidates))
            candidates = candidates.filter { $0.probability >= Double(options.minP) * candidates[0].probability * (1 - 1e-7) }
        }
        return weighed(candidates, temperature: Double(options.temperature)).sorted { $0.id < $1.id }.filter { $0.probability > 0 }
    }

    func adjusted(_ logits: [Float]) -> [Double] {
        var logits = logits.map { Double($0) }
        for bias in options.logitBias { logits[Int(bias.token)] += Double(bias.value) }
        for (token, count) in Dictionary(history.suffix(options.penaltyWindow ?? .max).map { ($0, 1) }, uniquingKeysWith: +) {
            let penalty = Double(options.repetitionPenalty), logit = logits[Int(token)]
            logits[Int(token)] = logit > 0 ? logit / penalty : logit * penalty
            logits[Int(token)] -= Double(count) * Double(options.frequencyPenalty) + Double(options.presencePenalty)
        }
        if options.dry.multiplier > 0 {
            for (token, length) in repetitions() where length >= options.dry.allowedLength {
                logits[Int(token)] -= min(1e6, Double(options.dry.multiplier) * pow(Double(options.dry.base), Double(length - options.dry.allowedLength)))
            }
        }
        return logits
    }

    /// For each token that stands in the window: how many tokens before it, at most, are also the last ones of the text.
    private func repetitions() -> [Int32: Int] {
        let tokens = Array(history.suffix(options.dry.window ?? .max))
        var lengths: [Int32: Int] = [:]
        for place in tokens.indices {
            var length = 0
            while length < place, tokens[place - 1 - length] == tokens[tokens.count - 1 - length], !breaks(tokens[place - 1 - length]) { length += 1 }
            lengths[tokens[place]] = max(lengths[tokens[place]] ?? 0, length)
        }
        return lengths
    }

    private func likeliestFirst(_ candidates: [Candidate]) -> [Candidate] {
        candidates.sorted { $0.logit != $1.logit ? $0.logit > $1.logit : $0.id < $1.id }
    }

    private func weighed(_ candidates: [Candidate], temperature: Double = 1) -> [Candidate] {
        let largest = candidates.map(\.logit).max() ?? 0
        let weights = candidates.map { exp(($0.logit - largest) / temperature) }
        let total = weights.reduce(0, +)
        return zip(candidates, weights).map { Candidate(id: $0.id, logit: $0.logit, probability: $1 / total) }
    }

    private func reaching(_ share: Double, _ candidates: [Candidate]) -> [Candidate] {
        var sum = 0.0, kept: [Candidate] = []
        for candidate in candidates {
            kept.append(candidate)
            sum += candidate.probability
            if sum >= share { break }
        }
        return kept
    }

    private func typical(_ candidates: [Candidate]) -> [Candidate] {
        let entropy = candidates.filter { $0.probability > 0 }.map { -$0.probability * log($0.probability) }.reduce(0, +)
        func distance(_ candidate: Candidate) -> Double { abs(-log(candidate.probability) - entropy) }
        return reaching(Double(options.typicalP), candidates.sorted { distance($0) != distance($1) ? distance($0) < distance($1) : $0.id < $1.id })
    }
}
