import Glibc

/// What the error of the weights does to the answers, as `quern eval` measured it.
struct DivergenceSection {
    let report: QualityReport

    private static let command: HTML = "<pre><code>quern eval FILE --text TEXT --against FOLDER --json &gt; eval.json\nquern report FILE --eval eval.json</code></pre>"

    var markup: HTML {
        var content: HTML = ""
        if report.evaluations.isEmpty {
            content += """
                <p>Not measured. Small errors of the weights are necessary, not sufficient; what they do to the answers shows over a text. FOLDER is the checkpoint \
                that the file was made from:</p>
                \(Self.command)

                """
        }
        for (index, evaluation) in report.evaluations.enumerated() {
            if report.evaluations.count > 1 { content += "<h3>Evaluation \(index + 1)</h3>\n" }
            content += shown(evaluation)
        }
        return Page.section("divergence", "Against the original’s answers", content)
    }

    private func shown(_ evaluation: EvaluationResult) -> HTML {
        "\(reading(evaluation))\(plot(evaluation))<div class=\"beside\">\(figures(evaluation))\(split(evaluation))</div>\(missing(evaluation))"
    }

    private func reading(_ evaluation: EvaluationResult) -> HTML {
        guard let mean = evaluation.meanDivergence?.value, mean >= 0 else { return "" }
        // exp(-KL) is the geometric mean of q / p over what the original would choose.
        let text: HTML = "Tokens that the original would choose are on average \(Numbers.percent(-expm1(-mean), mean < 0.01 ? 2 : 1)) less likely with this file (geometric mean, 1 − exp(−KL))."
        return "<p>\(text)</p>\n"
    }

    private func plot(_ evaluation: EvaluationResult) -> HTML {
        guard let histogram = evaluation.histogram, histogram.total > 0 else { return "" }
        guard let first = histogram.counts.firstIndex(where: { $0 > 0 }), let last = histogram.counts.lastIndex(where: { $0 > 0 }) else { return "" }
        let shown = max(0, first - 2)...min(histogram.counts.count - 1, last + 2)
        let total = Double(histogram.total)
        let edges = histogram.edges[shown.lowerBound...(shown.upperBound + 1)]
        func place(_ value: Double) -> Double? {
            guard value > 0, let low = edges.first, let high = edges.last else { return nil }
            let logarithm = log10(value)
            guard logarithm >= low, logarithm <= high, let bin = edges.lastIndex(where: { $0 <= logarithm }) else { return nil }
            guard bin + 1 < edges.endIndex else { return Double(shown.count) }
            return Double(bin - edges.startIndex) + (logarithm - edges[bin]) / (edges[bin + 1] - edges[bin])
        }
        var markers: [BarPlot.Mark] = []
        for (value, name) in [
            (evaluation.quantiles[.median], "median"), (evaluation.meanDivergence?.value, "mean"), (evaluation.quantiles[.p99], "99 %"),
        ] {
            if let value, let place = place(value) { markers.append(.init(place: place, text: "\(name) \(Numbers.significant(value))")) }
        }
        let decades = Int((edges.first ?? 0).rounded(.up))...max(Int((edges.first ?? 0).rounded(.up)), Int((edges.last ?? 0).rounded(.down)))
        let bars = shown.map { bin in
            BarPlot.Bar(
                share: Double(histogram.counts[bin]) / total,
                title: "\(Numbers.significant(pow(10, histogram.edges[bin]), 2)) to \(Numbers.significant(pow(10, histogram.edges[bin + 1]), 2)) nats: \(counted(histogram.counts[bin], "token"))")
        }
        let plot = BarPlot(
            bars: bars, ticks: decades.compactMap { power in place(pow(10, Double(power)) * 1.000_000_1).map { .init(place: $0, text: "10\(Numbers.superscript(power))") } },
            markers: markers, xLabel: "KL divergence of a token, nats (logarithmic)",
            label: "Histogram of the KL divergence per token of \(counted(histogram.total, "token"))")
        return """
            <figure><figcaption>KL divergence per token: share of \(counted(histogram.total, "token"))</figcaption>
            \(plot.svg)\(decadeTable(histogram))</figure>

            """
    }

    /// The histogram in words: how many tokens lie below each power of ten.
    private func decadeTable(_ histogram: DivergenceHistogram) -> HTML {
        var table = Table("Tokens by power of ten of their KL divergence", [("nats", true), ("tokens", false), ("share", false), ("cumulative", false)])
        var (sum, previous) = (0, 0)
        for (index, count) in histogram.counts.enumerated() {
            sum += count
            let upper = histogram.edges[index + 1]
            let isLast = index == histogram.counts.count - 1
            guard abs(upper - upper.rounded()) < 1e-6 || isLast else { continue }
            let isBeyond = previous == histogram.total
            if sum > 0 && !isBeyond {
                table.rows.append([
                    "below \(Numbers.significant(pow(10, upper), 2))", "\(Numbers.count(sum - previous))", "\(Numbers.percent(Double(sum - previous) / Double(histogram.total)))",
                    "\(Numbers.percent(Double(sum) / Double(histogram.total)))",
                ])
            }
            previous = sum
        }
        return "<details><summary>Figures of this plot</summary>\(table.markup)</details>"
    }

    private func figures(_ evaluation: EvaluationResult) -> HTML {
        var table = Table("Measured over the text", [("figure", true), ("value", false)])
        func add(_ name: HTML, _ text: String?) { if let text { table.rows.append([name, "\(text)"]) } }
        add("tokens scored", evaluation.scored.map { Numbers.count($0) })
        add("windows", evaluation.windows.map { Numbers.count($0) })
        add("perplexity", evaluation.perplexity.map { Numbers.plusMinus($0) })
        add("perplexity, of the original’s", evaluation.perplexityRatio.map { Numbers.plusMinus($0, absent: 6) + " ×" })
        add("KL divergence, mean, nats", evaluation.meanDivergence.map { Numbers.plusMinus($0) })
        let names: [(EvaluationResult.Quantile, HTML)] = [(.median, "median"), (.p90, "90 %"), (.p99, "99 %"), (.p999, "99.9 %"), (.largest, "largest")]
        for (quantile, name) in names { add("KL divergence, \(name)", evaluation.quantiles[quantile].map { Numbers.significant($0) }) }
        add("same top token", evaluation.sameTopEstimate.map { Numbers.percent($0) })
        add("change of the true token’s probability, RMS", evaluation.rmsChange.map { Numbers.percent($0) })
        return table.markup
    }

    private func split(_ evaluation: EvaluationResult) -> HTML {
        guard let largest = evaluation.split.values.map({ abs($0.value) }).max() else { return "" }
        var table = Table("Which part of the error is which", [("part", true), ("of the mean KL divergence, nats", true)])
        let names: [(EvaluationResult.Part, HTML)] = [(.weights, "quantized weights"), (.activations, "8-bit activations"), (.cache, "8-bit KV cache")]
        for (part, name) in names {
            guard let value = evaluation.split[part] else { continue }
            table.rows.append([name, Bar.markup(largest > 0 ? value.value / largest : 0, text: value.uncertainty == nil ? Numbers.significant(value.value, 2) : Numbers.plusMinus(value))])
        }
        return table.markup
    }

    private func missing(_ evaluation: EvaluationResult) -> HTML {
        var names: [HTML] = []
        if evaluation.perplexity == nil { names.append("perplexity") }
        if evaluation.meanDivergence == nil { names.append("KL divergence") }
        if evaluation.perplexityRatio == nil { names.append("perplexity ratio") }
        if evaluation.sameTop == nil { names.append("same top token") }
        if EvaluationResult.Quantile.allCases.contains(where: { evaluation.quantiles[$0] == nil }) { names.append("some percentiles of the divergence") }
        if evaluation.histogram == nil { names.append("distribution of the divergence") }
        if evaluation.split.isEmpty { names.append("which part of the error is which") }
        var notes: HTML = ""
        if !names.isEmpty {
            notes += "<p class=\"note\">Not in this evaluation: \(names.joined(by: ", ")). <code>quern eval FILE --text TEXT --against FOLDER --json</code> measures the divergence from the checkpoint in FOLDER.</p>\n"
        }
        if evaluation.fingerprint == nil { notes += "<p class=\"note\">The evaluation does not name the file that it is of; that it belongs to this one was not checked.</p>\n" }
        return notes
    }
}
