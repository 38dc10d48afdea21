import Glibc

/// How the next token is chosen.
package struct SamplingOptions: Sendable, Equatable {
    /// 0 takes the likeliest token; above, probabilities are raised to the power 1 / temperature.
    package var temperature: Float = 0
    /// Keep the k likeliest; 0 keeps all.
    package var topK = 0
    /// Keep the likeliest until their probabilities reach p; 1 keeps all.
    package var topP: Float = 1
    /// Keep those at least this fraction as likely as the likeliest; 0 keeps all.
    package var minP: Float = 0
    package var seed: UInt64 = 0

    package init(temperature: Float = 0, topK: Int = 0, topP: Float = 1, minP: Float = 0, seed: UInt64 = 0) {
        self.temperature = temperature
        self.topK = topK
        self.topP = topP
        self.minP = minP
        self.seed = seed
    }
}

/// Chooses tokens. The filters look at the model's own probabilities, in the order top-k, top-p, min-p; temperature comes last.
/// The same seed and logits give the same tokens.
package struct Sampler {
    package let options: SamplingOptions
    private var state: UInt64
    /// Kept between tokens so that sampling allocates nothing.
    private var candidates: [(id: Int32, logit: Float)] = []
    private var probabilities: [Float] = []

    package init(_ options: SamplingOptions) {
        precondition(options.temperature >= 0 && options.topK >= 0 && options.topP > 0 && options.minP >= 0, "sampling options \(options)")
        self.options = options
        state = options.seed
    }

    /// The likeliest token; the lowest id of equals.
    package static func argmax(_ logits: UnsafePointer<Float>, count: Int) -> Int32 {
        precondition(count > 0, "no logits")
        var best = 0
        for index in 1..<max(count, 1) where logits[index] > logits[best] { best = index }
        return Int32(best)
    }

    package mutating func choose(_ logits: UnsafePointer<Float>, count: Int) -> Int32 {
        if options.temperature == 0 { return Self.argmax(logits, count: count) }
        candidates.removeAll(keepingCapacity: true)
        for index in 0..<count { candidates.append((Int32(index), logits[index])) }
        // By probability, then by id, so that the order never depends on the sort.
        candidates.sort { $0.logit != $1.logit ? $0.logit > $1.logit : $0.id < $1.id }
        if options.topK > 0, options.topK < candidates.count { candidates.removeLast(candidates.count - options.topK) }
        weigh(temperature: 1)
        var kept = candidates.count
        if options.topP < 1 {
            var sum: Float = 0
            kept = 0
            while kept < candidates.count {
                sum += probabilities[kept]
                kept += 1
                if sum >= options.topP { break }
            }
        }
        while kept > 1, probabilities[kept - 1] < options.minP * probabilities[0] { kept -= 1 }
        candidates.removeLast(candidates.count - kept)
        weigh(temperature: options.temperature)
        var rest = nextUniform()
        for (index, candidate) in candidates.enumerated() {
            rest -= probabilities[index]
            if rest < 0 { return candidate.id }
        }
        return candidates[candidates.count - 1].id
    }

    /// Probabilities of the candidates, which are sorted.
    private mutating func weigh(temperature: Float) {
        probabilities.removeAll(keepingCapacity: true)
        var sum: Float = 0
        for candidate in candidates {
            let weight = expf((candidate.logit - candidates[0].logit) / temperature)
            probabilities.append(weight)
            sum += weight
        }
        for index in probabilities.indices { probabilities[index] /= sum }
    }

    /// SplitMix64 (Steele, Lea and Flood 2014); 24 bits make a float in 0 ..< 1.
    private mutating func nextUniform() -> Float {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return Float((z ^ (z >> 31)) >> 40) * 0x1p-24
    }
}
