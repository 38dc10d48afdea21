import Generation

/// The parameters that a chat can show and change, by name.
extension AnswerOptions {
    package var parameters: [(name: String, value: String)] {
        [
            ("temperature", "\(sampling.temperature)"), ("top-k", "\(sampling.topK)"), ("typical-p", "\(sampling.typicalP)"), ("top-p", "\(sampling.topP)"),
            ("min-p", "\(sampling.minP)"), ("repetition-penalty", "\(sampling.repetitionPenalty)"), ("frequency-penalty", "\(sampling.frequencyPenalty)"),
            ("presence-penalty", "\(sampling.presencePenalty)"), ("dry-multiplier", "\(sampling.dry.multiplier)"), ("seed", "\(sampling.seed)"),
            ("max-tokens", "\(maximum)"),
        ]
    }

    private static let most: Float = 1e6

    /// - Returns: what is wrong with name or value; nil when it is set.
    package mutating func set(_ name: String, _ value: String) -> String? {
        func wrong(_ expected: String) -> String { "\(name) is '\(value)', expected \(expected)" }
        switch name {
        case "temperature":
            guard let number = Float(value), number >= 0, number.isFinite else { return wrong("0 or more") }
            sampling.temperature = number
        case "top-k":
            guard let number = Int(value), number >= 0 else { return wrong("a whole number, 0 or more") }
            sampling.topK = number
        case "top-p":
            guard let number = Float(value), number > 0, number <= 1 else { return wrong("a number above 0 and at most 1") }
            sampling.topP = number
        case "typical-p":
            guard let number = Float(value), number > 0, number <= 1 else { return wrong("a number above 0 and at most 1") }
            sampling.typicalP = number
        case "repetition-penalty":
            guard let number = Float(value), number > 0, number <= Self.most else { return wrong("a number above 0 and at most 1000000") }
            sampling.repetitionPenalty = number
        case "frequency-penalty":
            guard let number = Float(value), abs(number) <= Self.most else { return wrong("a number within -1000000...1000000") }
            sampling.frequencyPenalty = number
        case "presence-penalty":
            guard let number = Float(value), abs(number) <= Self.most else { return wrong("a number within -1000000...1000000") }
            sampling.presencePenalty = number
        case "dry-multiplier":
            guard let number = Float(value), number >= 0, number <= Self.most else { return wrong("a number within 0...1000000") }
            sampling.dry.multiplier = number
        case "min-p":
            guard let number = Float(value), number >= 0, number <= 1 else { return wrong("a number within 0...1") }
            sampling.minP = number
        case "seed":
            guard let number = UInt64(value) else { return wrong("a whole number, 0 or more") }
            sampling.seed = number
        case "max-tokens":
            guard let number = Int(value), (1...(1 << 20)).contains(number) else { return wrong("a whole number within 1...1048576") }
            maximum = number
        default: return "there is no parameter '\(name)'; there are \(parameters.map(\.name).joined(separator: ", "))"
        }
        return nil
    }
}
