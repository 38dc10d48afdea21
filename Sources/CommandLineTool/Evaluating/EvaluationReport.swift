import Evaluation
import Kernels
import LayerwiseInference
import ModelFiles
import StrictJSON

/// The result of `eval` as text and as JSON.
struct EvaluationReport {
    let figures: [WindowFigures]
    let stages: EvaluationStages
    let windowed: TextWindows
    /// SHA-256 of the file's first 4096 bytes, which hold the digests of the rest.
    let identity: Digest32
    let referenceNote: String?
    let seconds: Double
    private let summary: EvaluationSummary

    init(figures: [WindowFigures], stages: EvaluationStages, text: TextWindows, identity: Digest32, referenceNote: String?, seconds: Double) {
        (self.figures, self.stages, windowed, self.identity) = (figures, stages, text, identity)
        (self.referenceNote, self.seconds) = (referenceNote, seconds)
        summary = EvaluationSummary(figures, variant: stages.main)
    }

    private typealias Split = (step: EvaluationStages.Step, divergence: ClusteredMean)

    private var split: [Split] {
        stages.steps.map { step in
            let own = step.before.map { EvaluationSummary.difference(figures, from: $0, to: step.after) }
            return (step, own ?? ClusteredMean(figures.map { $0.variants[step.after].divergence }))
        }
    }

    // MARK: JSON

    var document: JSONObject {
        var object: JSONObject = [
            "file_sha256": JSONValue(identity.hex), "windows": JSONValue(summary.windows), "windows_in_text": JSONValue(windowed.available), "window_size": JSONValue(windowed.size),
            "scored": JSONValue(summary.logLoss.count), "kv": JSONValue(stages.element.rawValue), "perplexity": JSONValue(summary.perplexity),
            "perplexity_uncertainty": JSONValue(summary.perplexityUncertainty),
            "perplexity_uncertainty_by_windows": summary.perplexityUncertaintyByWindows.map { JSONValue($0) } ?? .null,
        ]
        if let comparison = summary.comparison { add(comparison, to: &object) }
        if !stages.steps.isEmpty {
            var means = JSONObject(), uncertainties = JSONObject(), totals = JSONObject()
            for (step, divergence) in split {
                means.set(step.key, JSONValue(divergence.mean))
                uncertainties.set(step.key, JSONValue(divergence.uncertainty))
                totals.set(step.key, JSONValue(EvaluationSummary(figures, variant: step.after).comparison?.divergence.mean ?? 0))
            }
            object.set("split", JSONValue(means))
            object.set("split_uncertainty", JSONValue(uncertainties))
            object.set("split_mean_kld", JSONValue(totals))
        }
        if let referenceNote { object.set("note", JSONValue(referenceNote)) }
        object.set("seconds", JSONValue(seconds))
        return object
    }

    private func add(_ comparison: EvaluationSummary.Comparison, to object: inout JSONObject) {
        object.set("reference_perplexity", JSONValue(comparison.referencePerplexity))
        object.set("perplexity_ratio", JSONValue(comparison.perplexityRatio))
        object.set("perplexity_ratio_uncertainty", JSONValue(comparison.perplexityRatioUncertainty))
        object.set("mean_kld", JSONValue(comparison.divergence.mean))
        object.set("mean_kld_uncertainty", JSONValue(comparison.divergence.uncertainty))
        for (key, fraction) in [("median_kld", 0.5), ("kld_90", 0.9), ("kld_99", 0.99), ("kld_999", 0.999), ("max_kld", 1)] {
            object.set(key, JSONValue(comparison.percentile(fraction)))
        }
        object.set("same_top", JSONValue(comparison.sameTop.mean))
        object.set("same_top_uncertainty", JSONValue(comparison.sameTop.uncertainty))
        object.set("rms_change", JSONValue(comparison.rmsChange))
        object.set("rms_change_uncertainty", JSONValue(comparison.rmsChangeUncertainty))
        object.set("mean_change", JSONValue(comparison.change.mean))
        object.set("mean_change_uncertainty", JSONValue(comparison.change.uncertainty))
        object.set(
            "kld_histogram",
            [
                "log10_edges": JSONValue(EvaluationSummary.Histogram.edges.map { JSONValue($0) }),
                "counts": JSONValue(comparison.histogram.counts.map { JSONValue($0) }),
            ])
    }

    // MARK: Text

    var text: String {
        let part = windowed.windows.count < windowed.available ? " of the text's \(windowed.available)" : ""
        var lines = [
            "tokens            \(windowed.windows.count * windowed.size) in \(summary.windows) \(summary.windows == 1 ? "window" : "windows")\(part), "
                + "\(summary.logLoss.count) scored, \(Quantities.duration(seconds))",
            "perplexity        \(fixed(summary.perplexity, 4)) +/- \(fixed(summary.perplexityUncertainty, 4)) (between windows "
                + (summary.perplexityUncertaintyByWindows.map { "+/- \(fixed($0, 4))" } ?? "unknown: there is one window") + ")",
        ]
        if let comparison = summary.comparison { lines += self.lines(of: comparison) }
        for (index, part) in split.enumerated() {
            let number = "\(index == 0 ? " " : part.divergence.mean < 0 ? "-" : "+")\(fixed(abs(part.divergence.mean), 6))"
            lines.append("\(index == 0 ? "of the divergence " : "                 ") \(number) +/- \(fixed(part.divergence.uncertainty, 6))  \(part.step.name)")
        }
        if let referenceNote { lines.append("note              \(referenceNote)") }
        return lines.joined(separator: "\n")
    }

    private func lines(of comparison: EvaluationSummary.Comparison) -> [String] {
        [
            "of the reference  \(fixed(comparison.referencePerplexity, 4)), ratio \(fixed(comparison.perplexityRatio, 5)) +/- \(fixed(comparison.perplexityRatioUncertainty, 5))",
            "KL divergence     mean \(fixed(comparison.divergence.mean, 6)) +/- \(fixed(comparison.divergence.uncertainty, 6)) nats",
            "                  median \(fixed(comparison.percentile(0.5), 6)), 90 % \(fixed(comparison.percentile(0.9), 5)), 99 % "
                + "\(fixed(comparison.percentile(0.99), 5)), 99.9 % \(fixed(comparison.percentile(0.999), 5)), largest \(fixed(comparison.percentile(1), 5))",
            "same top token    \(fixed(comparison.sameTop.mean * 100, 2)) +/- \(fixed(comparison.sameTop.uncertainty * 100, 2)) %",
            "change of p       RMS \(fixed(comparison.rmsChange * 100, 3)) +/- \(fixed(comparison.rmsChangeUncertainty * 100, 3)) %, mean "
                + "\(fixed(comparison.change.mean * 100, 3)) +/- \(fixed(comparison.change.uncertainty * 100, 3)) %",
        ]
    }

    private func fixed(_ value: Double, _ digits: Int) -> String { Quantities.fixed(value, digits) }
}
