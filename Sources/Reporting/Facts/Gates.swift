import Glibc
package import Conversion

/// Limits that a file must keep; those that are nil were not asked for.
package struct Gates: Sendable, Equatable {
    /// Decibels, of the worst tensor.
    package var minimumDecibels: Double?
    /// Nats, mean over the tokens.
    package var largestDivergence: Double?
    /// 0 to 1.
    package var smallestSameTop: Double?
    package var largestPerplexityRatio: Double?

    package init() {}

    package struct Outcome: Sendable, Equatable {
        package var option: String
        package var subject: String
        /// "at least 24.00 dB".
        package var limit: String
        package var measured: String
        package var isMet: Bool
        /// The limit lies within two standard errors of what was measured: another text might decide otherwise.
        package var isClose: Bool
    }

    /// Throws when an evaluation is needed and none holds the figure: a limit that nothing was compared with is not kept.
    package func outcomes(_ figures: ModelFigures, _ evaluations: [EvaluationResult]) throws(ReportError) -> [Outcome] {
        var outcomes: [Outcome] = []
        if let minimumDecibels {
            let worst = figures.worstDecibels
            outcomes.append(
                Outcome(
                    option: "--min-sqnr", subject: "SQNR of the worst tensor", limit: "at least \(Numbers.decibels(minimumDecibels))",
                    measured: Numbers.decibels(worst), isMet: worst >= minimumDecibels, isClose: false))
        }
        if let limit = largestDivergence {
            outcomes += try judge(evaluations, "--max-kld", "mean KL divergence", "mean_kld", \.meanDivergence, "at most \(Numbers.significant(limit)) nats") {
                (Numbers.plusMinus($0) + " nats", $0.value <= limit, distance: limit - $0.value)
            }
        }
        if let limit = smallestSameTop {
            outcomes += try judge(evaluations, "--min-same-top", "same top token", "same_top", \.sameTopEstimate, "at least \(Numbers.percent(limit))") {
                (Numbers.percent($0), $0.value >= limit, distance: limit - $0.value)
            }
        }
        if let limit = largestPerplexityRatio {
            outcomes += try judge(
                evaluations, "--max-perplexity-ratio", "perplexity ratio", "perplexity_ratio", \.perplexityRatio, "at most \(Numbers.significant(limit, 5))"
            ) { (Numbers.plusMinus($0, absent: 5), $0.value <= limit, distance: limit - $0.value) }
        }
        return outcomes
    }

    /// Every evaluation that holds the figure must keep the limit.
    private func judge(
        _ evaluations: [EvaluationResult], _ option: String, _ subject: String, _ key: String, _ figure: KeyPath<EvaluationResult, EvaluationResult.Estimate?>,
        _ limit: String, _ compare: (EvaluationResult.Estimate) -> (text: String, isMet: Bool, distance: Double)
    ) throws(ReportError) -> [Outcome] {
        let found = evaluations.enumerated().compactMap { index, evaluation in evaluation[keyPath: figure].map { (index, $0) } }
        guard !found.isEmpty else {
            throw ReportError(
                "\(option): \(evaluations.isEmpty ? "no evaluation was given" : "no evaluation holds '\(key)'"); give with --eval what "
                    + "'quern eval FILE --text TEXT --against FOLDER --json' writes")
        }
        return found.map { index, estimate in
            let (text, isMet, distance) = compare(estimate)
            return Outcome(
                option: option, subject: evaluations.count > 1 ? "\(subject), evaluation \(index + 1)" : subject, limit: limit, measured: text,
                isMet: isMet, isClose: estimate.uncertainty.map { abs(distance) < 2 * $0 } ?? false)
        }
    }
}

extension EvaluationResult {
    /// With the standard error of a share of independent tokens, where none was given.
    var sameTopEstimate: Estimate? {
        guard let sameTop, sameTop.uncertainty == nil, let scored, scored > 1 else { return sameTop }
        return Estimate(value: sameTop.value, uncertainty: (sameTop.value * (1 - sameTop.value) / Double(scored - 1)).squareRoot())
    }
}

extension Numbers {
    /// The value with its uncertainty, both to the uncertainty's second digit; `absent` digits of the value where there is none.
    static func plusMinus(_ estimate: EvaluationResult.Estimate, absent: Int = 4) -> String {
        guard let uncertainty = estimate.uncertainty, uncertainty > 0 else { return significant(estimate.value, absent) }
        let digits = 1 - Int(log10(uncertainty).rounded(.down))
        guard (0...8).contains(digits) else { return "\(significant(estimate.value, 4)) ± \(significant(uncertainty, 2))" }
        return "\(fixed(estimate.value, digits)) ± \(fixed(uncertainty, digits))"
    }

    static func percent(_ estimate: EvaluationResult.Estimate) -> String {
        guard let uncertainty = estimate.uncertainty, uncertainty > 0 else { return percent(estimate.value) }
        return plusMinus(.init(value: estimate.value * 100, uncertainty: uncertainty * 100)) + space + "%"
    }
}
