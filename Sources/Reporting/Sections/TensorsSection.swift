import Conversion
import Tensors

/// Every tensor with its size and error.
struct TensorsSection {
    let report: QualityReport

    private static let mostRows = 10_000

    var markup: HTML {
        var table = Table(
            "Every tensor, in the order of the file",
            [
                ("tensor", true), ("type", true), ("rows", false), ("columns", false), ("bytes", false), ("bits per weight", false), ("relative RMSE", false), ("SQNR", false),
                ("worst row", false), ("largest error", false), ("cosine", false), ("from the bound", false),
            ], kind: "dense")
        for tensor in report.figures.tensors.prefix(Self.mostRows) {
            table.rows.append([
                Page.name(tensor.name), "\(tensor.type.name)", "\(Numbers.count(tensor.rows))", "\(Numbers.count(tensor.columns))", "\(Numbers.count(tensor.bytes))",
                "\(Numbers.fixed(tensor.bitsPerWeight, 3))", "\(Numbers.significant(tensor.errors.relativeRMSE))", "\(Numbers.decibels(tensor.errors.sqnrDecibels))",
                "\(Numbers.decibels(tensor.errors.worstRowDecibels))", "\(Numbers.significant(tensor.errors.largest))", "\(Numbers.fixed(tensor.errors.cosine, 6))",
                "\(tensor.shannonDistance.map { Numbers.decibels($0) } ?? Numbers.absent)",
            ])
        }
        let more = report.figures.tensors.count - Self.mostRows
        let note: HTML = more > 0 ? "<p class=\"note\">and \(more) more: <code>quern inspect FILE --tensors</code> lists all</p>\n" : ""
        return Page.section("tensors", "All tensors", kind: "appendix", "\(table.markup)\(note)")
    }
}
