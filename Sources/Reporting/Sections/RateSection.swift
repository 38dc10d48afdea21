import Conversion
import Tensors

/// Error against bits: each tensor as a point below the bound that Shannon gives for a Gaussian source.
struct RateSection {
    let report: QualityReport

    var markup: HTML {
        let groups = StorageType.allCases.map { type in (type, report.figures.tensors.filter { $0.type == type }) }.filter { !$0.1.isEmpty }
        let series = groups.map { type, tensors in
            ScatterPlot.Series(
                name: type.name,
                points: tensors.filter { $0.errors.sqnrDecibels.isFinite }.map {
                    .init(x: $0.bitsPerWeight, y: $0.errors.sqnrDecibels, title: "\($0.name): \(Numbers.fixed($0.bitsPerWeight, 3)) bits, \(Numbers.decibels($0.errors.sqnrDecibels))")
                })
        }.filter { !$0.points.isEmpty }
        var content: HTML = ""
        if series.isEmpty {
            content += "<p>No tensor lost anything, so there is no error to set against bits.</p>\n"
        } else {
            let keys = series.enumerated().map { "<span>\(ScatterPlot.marker($0))\($1.name)</span> " as HTML }
            let plot = ScatterPlot(
                series: series, xLabel: "bits per weight, headers and padding included", yLabel: "SQNR, dB", slope: ModelFigures.decibelsPerBit,
                slopeLabel: "Shannon bound, 6.02 dB per bit", label: "SQNR against bits per weight of each tensor that lost something, with the Shannon bound")
            content += """
                <p>With each bit a code can keep at most 6.02 dB more of a Gaussian source. Real codes also store scales and whole bits, so they stay below the line. \
                Weights that are not Gaussian have a bound of their own, which is higher.</p>
                <figure><figcaption>SQNR against bits: one point for each tensor that lost something</figcaption>
                \(plot.svg)<p class="legend">\(keys)</p></figure>

                """
        }
        return Page.section("rate", "Error against bits", content + table(groups))
    }

    private func table(_ groups: [(StorageType, [TensorFigures])]) -> HTML {
        var table = Table(
            "Storage types in this file",
            [
                ("type", true), ("tensors", false), ("weights", false), ("bytes", false), ("of the file", true), ("bits per weight", false), ("mean SQNR", false),
                ("worst SQNR", false), ("from the bound", false),
            ])
        for (type, tensors) in groups {
            let figures = ModelFigures(tensors)
            let share = Double(figures.bytes) / Double(max(1, report.file.fileBytes))
            table.rows.append([
                "\(type.name)", "\(Numbers.count(tensors.count))", "\(Numbers.large(figures.weights))", "\(Numbers.bytes(figures.bytes))",
                Bar.markup(share, text: Numbers.percent(share, 1)), "\(Numbers.fixed(figures.bitsPerWeight, 3))", "\(Numbers.decibels(figures.meanDecibels))",
                "\(Numbers.decibels(figures.worstDecibels))", "\(figures.meanShannonDistance.map { Numbers.decibels($0) } ?? Numbers.absent)",
            ])
        }
        return table.markup
    }
}

/// A length beside a number, in a table.
enum Bar {
    /// `share` of the largest: 0 to 1.
    static func markup(_ share: Double, text: String) -> HTML {
        let width = Drawing.at(share.isFinite ? min(max(share, 0), 1) * 100 : 0)
        return "<span class=\"bar\"><i style=\"width:\(width)%\"></i></span>\(text)"
    }
}
