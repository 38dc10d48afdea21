import Conversion
import Tensors

/// Where most was lost.
struct WorstSection {
    let report: QualityReport

    private static let shown = 10

    var markup: HTML {
        let lossy = report.figures.tensors.filter { $0.errors.noise > 0 }
        guard !lossy.isEmpty else { return Page.section("worst", "Worst tensors and rows", "<p>No tensor lost anything.</p>\n") }
        let rows = lossy.enumerated().sorted { ($0.element.errors.worstRowDecibels, $0.offset) < ($1.element.errors.worstRowDecibels, $1.offset) }.map(\.element)
        return Page.section(
            "worst", "Worst tensors and rows",
            """
            <p>A row holds the weights of one output. One bad row can hide in a tensor with a good mean; the file records the worst row of each tensor.</p>
            \(tensors)\(table(rows.prefix(Self.shown)))
            """)
    }

    private var tensors: HTML {
        var table = Table("Tensors of lowest SQNR", [("tensor", true), ("type", true), ("SQNR", false), ("relative RMSE", false), ("largest error", false), ("cosine", false)])
        for tensor in report.figures.worst(Self.shown) {
            table.rows.append([
                Page.name(tensor.name), "\(tensor.type.name)", "\(Numbers.decibels(tensor.errors.sqnrDecibels))", "\(Numbers.significant(tensor.errors.relativeRMSE))",
                "\(Numbers.significant(tensor.errors.largest))", "\(Numbers.fixed(tensor.errors.cosine, 6))",
            ])
        }
        return table.markup
    }

    private func table(_ rows: ArraySlice<TensorFigures>) -> HTML {
        var table = Table(
            "Rows of lowest SQNR, one of each tensor", [("tensor", true), ("type", true), ("row", false), ("of", false), ("SQNR of the row", false), ("of the tensor", false)])
        for tensor in rows {
            table.rows.append([
                Page.name(tensor.name), "\(tensor.type.name)", "\(Numbers.count(tensor.errors.worstRow))", "\(Numbers.count(tensor.rows))",
                "\(Numbers.decibels(tensor.errors.worstRowDecibels))", "\(Numbers.decibels(tensor.errors.sqnrDecibels))",
            ])
        }
        return table.markup
    }
}
