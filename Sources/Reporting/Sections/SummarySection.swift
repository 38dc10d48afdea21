import Architectures
import Conversion
import ModelFiles
import StrictJSON
import Tensors

/// What a reader in a hurry takes away: verdict, size, loss, where it came from.
struct SummarySection {
    let report: QualityReport

    var markup: HTML {
        """
        <header>
        <p class="kicker">Quantization report</p>
        <h1>\(report.name)</h1>
        <p class="lead">\(lead)</p>
        \(verdict)</header>
        <section id="summary" aria-label="Summary">
        <div class="tiles">
        \(sizeTile)\(weightsTile)\(answersTile)\(integrityTile)</div>
        \(gates)\(facts)</section>
        """
    }

    private var figures: ModelFigures { report.figures }
    private var file: ReportedFile { report.file }

    private var lead: HTML {
        let size: HTML = file.sourceBytes > 0
            ? "\(Numbers.bytes(file.sourceBytes)) of safetensors became one file of \(Numbers.bytes(file.fileBytes)), \(Numbers.percent(Double(file.fileBytes) / Double(file.sourceBytes), 1)) of the size."
            : "One file of \(Numbers.bytes(file.fileBytes))."
        let weights: HTML = "Each of its \(Numbers.inWords(figures.weights)) weights takes \(Numbers.fixed(figures.bitsPerWeight, 2)) bits on average."
        guard let top = report.evaluations.lazy.compactMap(\.sameTop?.value).first else { return "\(size) \(weights)" }
        return "\(size) \(weights) For \(Numbers.percent(top, 1)) of the tokens of a text, the file and the original find the same next token likeliest."
    }

    private var verdict: HTML {
        let unmet = report.outcomes.count { !$0.isMet }
        var details: [HTML] = []
        if unmet > 0 { details.append("\(unmet) of \(counted(report.outcomes.count, "gate")) not met.") }
        if !report.differences.isEmpty { details.append("The figures or shards are not those of the checkpoint: see Provenance.") }
        switch report.verdict {
        case .noGates:
            return verdict("none", "–", "No gates were stated", "Nothing was asked of this file, so it neither passed nor failed. Limits are set with --min-sqnr, --max-kld, --min-same-top and --max-perplexity-ratio.")
        case .pass:
            return verdict("pass", "✓", "Pass", report.outcomes.count == 1 ? "The one gate that was stated is met." : "All \(report.outcomes.count) gates that were stated are met.")
        case .fail: return verdict("fail", "✗", "Fail", details.joined(by: " "))
        }
    }

    private func verdict(_ kind: HTML, _ sign: HTML, _ word: HTML, _ text: HTML) -> HTML {
        "<div class=\"verdict \(kind)\"><span class=\"sign\" aria-hidden=\"true\">\(sign)</span><p><strong>\(word)</strong> \(text)</p></div>\n"
    }

    private func tile(_ label: HTML, _ value: HTML, _ unit: HTML = "", _ lines: [HTML]) -> HTML {
        """
        <div class="tile"><h2>\(label)</h2><p class="value">\(value)\(unit)</p><ul>\(lines.map { "<li>\($0)</li>" as HTML })</ul></div>

        """
    }

    private var sizeTile: HTML {
        var lines: [HTML] = []
        if file.sourceBytes > 0 {
            lines.append("from \(Numbers.bytes(file.sourceBytes)) in \(counted(file.metadata.sources.count, "shard"))")
            lines.append("\(Numbers.percent(Double(file.fileBytes) / Double(file.sourceBytes), 1)) of the original size")
        }
        lines.append("\(Numbers.fixed(figures.bitsPerWeight, 3)) bits per weight")
        return tile("Size", "\(Numbers.bytes(file.fileBytes))", "", lines)
    }

    private var weightsTile: HTML {
        let (signal, noise) = figures.tensors.reduce((0.0, 0.0)) { ($0.0 + $1.errors.signal, $0.1 + $1.errors.noise) }
        guard let worst = figures.worst(1).first else { return tile("Error of the weights", "lossless", "", ["every weight is stored exactly"]) }
        return tile(
            "Error of the weights", "\(Numbers.decibels(figures.meanDecibels))", " <small>mean SQNR</small>",
            [
                "worst tensor \(Numbers.decibels(worst.errors.sqnrDecibels))", "relative RMSE of all weights \(Numbers.percent((noise / signal).squareRoot()))",
                figures.meanShannonDistance.map { "\(Numbers.decibels($0)) from the Shannon bound" } ?? "",
            ])
    }

    private var answersTile: HTML {
        guard let evaluation = report.evaluations.first(where: { $0.meanDivergence != nil }) ?? report.evaluations.first else {
            return tile("Error of the answers", "not measured", "", ["<code>quern eval</code> measures it: see <a href=\"#divergence\">below</a>"])
        }
        var lines: [HTML] = []
        if let mean = evaluation.meanDivergence { lines.append("KL divergence \(Numbers.plusMinus(mean)) nats") }
        if let perplexity = evaluation.perplexity { lines.append("perplexity \(Numbers.plusMinus(perplexity))") }
        if let ratio = evaluation.perplexityRatio { lines.append("\(Numbers.fixed(ratio.value, 4)) × that of the original") }
        if report.evaluations.count > 1 { lines.append("the first of \(report.evaluations.count) evaluations") }
        if let top = evaluation.sameTop { return tile("Error of the answers", "\(Numbers.percent(top.value))", " <small>same top token</small>", lines) }
        guard let perplexity = evaluation.perplexity else { return tile("Error of the answers", "measured", "", lines) }
        return tile("Error of the answers", "\(Numbers.significant(perplexity.value, 4))", " <small>perplexity</small>", ["not compared with the original"])
    }

    private var integrityTile: HTML {
        let comparison: HTML = switch report.comparison {
        case .recorded: "error figures as recorded by the conversion"
        case .recomputed(let differences) where differences.isEmpty: "error figures computed again from the checkpoint: identical"
        case .recomputed(let differences): "\(counted(differences.count, "difference")) from the checkpoint"
        }
        let value: HTML = report.digestsVerified ? "verified" : "not verified"
        let digests: HTML = report.digestsVerified ? "SHA-256 of \(counted(file.tensors.count, "tensor")) is right" : "the tensors’ SHA-256 was not computed"
        return tile("Integrity", value, "", [digests, comparison])
    }

    private var gates: HTML {
        guard !report.outcomes.isEmpty else { return "" }
        var table = Table(
            "Gates", [("gate", true), ("limit", true), ("measured", true), ("result", true)], kind: "gates")
        for outcome in report.outcomes {
            let note: HTML = outcome.isClose ? " <span class=\"note\">the limit is within two standard errors</span>" : ""
            let result: HTML = outcome.isMet ? "<span class=\"met\">✓ met</span>" : "<span class=\"unmet\">✗ not met</span>"
            table.rows.append(["\(outcome.subject)", "\(outcome.limit)", "\(outcome.measured)", "\(result)\(note)"])
        }
        return table.markup
    }

    private var facts: HTML {
        let c = report.configuration
        let shown = 3
        let sources = file.metadata.sources
        let shards = sources.prefix(shown).map { "<div>\(Page.name($0.name)) <span class=\"note\">SHA-256 \(String($0.sha256.hex.prefix(16)))…</span></div>" as HTML }
        let more: HTML = sources.count > shown ? "<div>and \(sources.count - shown) more, see <a href=\"#provenance\">Provenance</a></div>" : ""
        return """
            <dl class="facts">
            <div><dt>Model</dt><dd>LLaMA: \(counted(c.layers, "layer")), hidden size \(Numbers.count(c.hiddenSize)), intermediate \(Numbers.count(c.intermediateSize)), \
            \(counted(c.heads, "head")), \(Numbers.count(c.keyValueHeads)) for keys and values, vocabulary \(Numbers.count(c.vocabulary))</dd></div>
            <div><dt>Made from</dt><dd>\(shards)\(more)</dd></div>
            <div><dt>Made by</dt><dd>\(file.metadata.generator.name) \(file.metadata.generator.version)\(ProvenanceSection.options(file.metadata))</dd></div>
            <div><dt>This file</dt><dd><span class="note">fingerprint</span> <code>\(file.fingerprint.hex)</code></dd></div>
            </dl>

            """
    }
}
