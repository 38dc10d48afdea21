/// Points of several series over two linear axes, with a straight line to compare with. Series differ in colour and shape.
struct ScatterPlot {
    struct Point {
        var x: Double
        var y: Double
        var title: String
    }

    struct Series {
        var name: String
        var points: [Point]
    }

    var series: [Series]
    var xLabel: String
    var yLabel: String
    /// y = slope x.
    var slope: Double
    var slopeLabel: String
    var label: String

    private static let (width, height) = (860.0, 400.0)
    private static let (left, right, top, bottom) = (52.0, 12.0, 34.0, 46.0)
    /// Paths around (0, 0) of about the same area.
    private static let shapes: [HTML] = [
        "<circle r=\"4\"/>", "<path d=\"M-3.6-3.6h7.2v7.2h-7.2z\"/>", "<path d=\"M0-4.9 4.7 3.6H-4.7z\"/>", "<path d=\"M0-5.2 5.2 0 0 5.2-5.2 0z\"/>",
        "<path d=\"M-4.7-3.6H4.7L0 4.9z\"/>", "<path d=\"M-1.6-4.8h3.2v3.2h3.2v3.2h-3.2v3.2h-3.2v-3.2h-3.2v-3.2h3.2z\"/>",
    ]

    /// A key to the series, drawn as in the plot.
    static func marker(_ index: Int) -> HTML {
        "<svg class=\"key s\(index % shapes.count)\" viewBox=\"-6 -6 12 12\" aria-hidden=\"true\">\(shapes[index % shapes.count])</svg>"
    }

    var svg: HTML {
        let points = series.flatMap(\.points)
        let xs = points.map(\.x)
        let ys = points.map(\.y)
        guard let xLow = xs.min(), let xHigh = xs.max(), let yLow = ys.min(), let yHigh = ys.max() else { return "" }
        let x = Axis(max(0, xLow - 0.3)...xHigh + 0.3, from: Self.left, to: Self.width - Self.right, count: 8)
        // The line is part of the picture where the points are.
        let y = Axis(min(yLow, slope * xLow) - 1...max(yHigh, slope * xHigh) + 1, from: Self.height - Self.bottom, to: Self.top, count: 6)
        var content: HTML = ""
        for tick in y.ticks {
            content += Drawing.line(Self.left, y.place(tick), Self.width - Self.right, y.place(tick), "grid")
            content += Drawing.text(Self.left - 8, y.place(tick) + 4, .end, Numbers.fixed(tick, y.digits))
        }
        for tick in x.ticks {
            content += Drawing.line(x.place(tick), y.start, x.place(tick), y.start + 5, "axis")
            content += Drawing.text(x.place(tick), y.start + 20, .middle, Numbers.fixed(tick, x.digits))
        }
        content += Drawing.line(Self.left, y.start, Self.width - Self.right, y.start, "axis")
        content += Drawing.text((x.start + x.end) / 2, Self.height - 6, .middle, xLabel, kind: "name")
        content += Drawing.text(2, 14, .start, yLabel, kind: "name")
        content += slopeLine(x, y)
        for (index, series) in series.enumerated() { content += drawn(series, Self.shapes[index % Self.shapes.count], index, x, y) }
        return Drawing.svg(width: Self.width, height: Self.height, label: label, content)
    }

    private func slopeLine(_ x: Axis, _ y: Axis) -> HTML {
        let low = max(x.values.lowerBound, y.values.lowerBound / slope)
        let high = min(x.values.upperBound, y.values.upperBound / slope)
        guard low < high else { return "" }
        let (fromX, fromY, toX, toY) = (x.place(low), y.place(slope * low), x.place(high), y.place(slope * high))
        // Above the line, where no point can lie.
        let (middleX, middleY) = (fromX + (toX - fromX) * 0.45, fromY + (toY - fromY) * 0.45)
        return Drawing.line(fromX, fromY, toX, toY, "bound") + Drawing.text(middleX - 10, middleY - 8, .end, slopeLabel, kind: "bound-name")
    }

    private func drawn(_ series: Series, _ shape: HTML, _ index: Int, _ x: Axis, _ y: Axis) -> HTML {
        var group: HTML = "<g class=\"s\(index % Self.shapes.count)\">"
        for point in series.points {
            group += "<g transform=\"translate(\(Drawing.at(x.place(point.x))) \(Drawing.at(y.place(point.y))))\">\(shape)<title>\(point.title)</title></g>"
        }
        group += "</g>"
        return group
    }
}
