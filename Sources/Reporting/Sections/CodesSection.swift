import Conversion
import ModelFiles
import Tensors

/// How the codes, block scales and grids of each storage type are used.
struct CodesSection {
    let report: QualityReport

    var markup: HTML {
        var content: HTML = """
            <p>Counted in the stored bytes, padding left out. Where all codes are used alike, their entropy is the number of their bits; \
            what it is short of that, an entropy coder could still save.</p>

            """
        let present = Set(report.figures.tensors.map(\.type))
        let counted = Set(report.codes.map(\.type))
        let uncounted = StorageType.allCases.filter { present.contains($0) && $0.isQuantized && !counted.contains($0) }.map(\.name)
        if report.codes.isEmpty { content += "<p>The file holds no codes to count.</p>\n" }
        if !uncounted.isEmpty { content += "<p class=\"note\">Not counted: \(uncounted.joined(separator: ", ")).</p>\n" }
        for codes in report.codes { content += shown(codes) }
        return Page.section("codes", "Codes", content)
    }

    private func shown(_ codes: CodeCounts) -> HTML {
        let bits = codes.type.traits.codeBits
        let sampling: HTML = codes.stride == 1
            ? "all \(counted(codes.panels, "panel"))"
            : "sampled: every \(ordinal(codes.stride)) panel of 16 rows of each tensor, \(Numbers.count(codes.panels)) of \(counted(codes.panelsInAll, "panel"))"
        var plots: HTML = "\(codePlot(codes))\(scalePlot(codes))"
        if !codes.grids.isEmpty { plots += gridTable(codes) }
        return """
            <h3>\(codes.type.name)</h3>
            <p>\(counted(codes.tensors, "tensor")), \(sampling). Entropy of the codes \(Numbers.fixed(CodeCounts.entropy(codes.codes), 3)) of \(bits) bits, \
            of the block scales \(Numbers.fixed(CodeCounts.entropy(codes.scales), 2)) of \(codes.layout.scaleBits) bits\
            \(codes.grids.count < 2 ? "" : ", of the choice of grid \(Numbers.fixed(CodeCounts.entropy(codes.grids), 2)) of \(8 - codes.layout.scaleBits) bits" as HTML).</p>
            <div class="plots">\(plots)</div>

            """
    }

    private func ordinal(_ number: Int) -> String {
        let ending = number % 100 / 10 == 1 ? "th" : [1: "st", 2: "nd", 3: "rd"][number % 10] ?? "th"
        return Numbers.count(number) + ending
    }

    private func codePlot(_ codes: CodeCounts) -> HTML {
        let isIndex = !codes.grids.isEmpty
        // Without grids the stored byte is the code plus 128.
        let names = codes.codes.indices.map { isIndex ? $0 : $0 - 128 }
        let title = isIndex ? "Codes; dashed: all alike" : "Codes"
        return figure(
            title, codes.codes, names, every: max(1, codes.codes.count / (isIndex ? 16 : 8)), of: "codes of \(codes.type.name)", xLabel: "code", uniform: isIndex)
    }

    private func scalePlot(_ codes: CodeCounts) -> HTML {
        let names = codes.scales.indices.map { codes.layout.scale(at: $0) }
        return figure("Block scales", codes.scales, names, every: codes.scales.count / 8, of: "block scales of \(codes.type.name)", xLabel: "stored scale", uniform: false)
    }

    private func figure(_ caption: String, _ counts: [UInt64], _ names: [Int], every: Int, of what: String, xLabel: String, uniform: Bool) -> HTML {
        let total = Double(counts.reduce(0, &+))
        guard total > 0 else { return "" }
        let plot = BarPlot(
            bars: zip(counts, names).map { .init(share: Double($0) / total, title: "\(Numbers.fixed(Double($1), 0)): \(Numbers.percent(Double($0) / total))") },
            ticks: names.enumerated().filter { $1 % every == 0 }.map { .init(place: Double($0) + 0.5, text: Numbers.fixed(Double($1), 0)) },
            xLabel: xLabel, reference: uniform ? 1 / Double(counts.count) : nil, label: "Histogram of the \(what)", width: 470, height: 230)
        return "<figure><figcaption>\(caption)</figcaption>\n\(plot.svg)\(details(counts, names, total, what))</figure>\n"
    }

    /// The counts in at most 32 rows.
    private func details(_ counts: [UInt64], _ names: [Int], _ total: Double, _ what: String) -> HTML {
        var table = Table("Share of the \(what)", [("value", true), ("count", false), ("share", false)])
        let group = max(1, counts.count / 32)
        for start in stride(from: 0, to: counts.count, by: group) {
            let sum = counts[start..<min(start + group, counts.count)].reduce(0, &+)
            let (low, high) = (Numbers.fixed(Double(names[start]), 0), Numbers.fixed(Double(names[min(start + group, counts.count) - 1]), 0))
            table.rows.append([group == 1 ? "\(low)" : "\(low) … \(high)", "\(Numbers.count(sum))", "\(Numbers.percent(Double(sum) / total))"])
        }
        return "<details><summary>Figures of this plot</summary>\(table.markup)</details>"
    }

    private func gridTable(_ codes: CodeCounts) -> HTML {
        let total = Double(max(1, codes.grids.reduce(0, &+)))
        var table = Table("Choice of grid", [("grid", true), ("of the blocks", true), ("values", true)])
        let tables = Set(report.file.tensors.filter { $0.type == codes.type && $0.grids.count == 64 }.map(\.grids))
        for (index, count) in codes.grids.enumerated() {
            let share = Double(count) / total
            // One drawing when all tensors share their grids.
            let values: HTML = tables.count == 1 ? GridStrip(values: values(of: index, codes, tables.first ?? [])).svg : "differ between tensors"
            table.rows.append(["\(index)", Bar.markup(share, text: Numbers.percent(share, 1)), values])
        }
        return "<figure class=\"wide\">\(table.markup)</figure>\n"
    }

    /// The 64 bytes of a tensor's grids are shared evenly; 6-bit codes are biased by 128, the others by 64.
    private func values(of grid: Int, _ codes: CodeCounts, _ bytes: [UInt8]) -> [Int] {
        let count = bytes.count / codes.grids.count
        return bytes[grid * count..<(grid + 1) * count].map { Int($0) - (codes.layout.codeBits == 6 ? 128 : 64) }
    }
}

/// The values of a grid on a line from -128 to 127 or, where they are within it, from -64 to 63.
struct GridStrip {
    var values: [Int]

    var svg: HTML {
        let numbers = values
        let ticks = numbers.map { number -> HTML in
            let x = 130 + Double(number) * (numbers.contains { abs($0) > 64 } ? 1 : 2)
            return Drawing.line(x, 3, x, 17, "value")
        }
        let text = numbers.map { String($0) }.joined(separator: ", ")
        return Drawing.svg(width: 260, height: 20, label: "Values \(text)", kind: "plot strip", "<title>\(text)</title>\(Drawing.line(0, 10, 260, 10, "axis"))\(ticks)")
    }
}
