/// Shares of a whole as bars without gaps: a histogram.
struct BarPlot {
    struct Bar {
        /// 0 to 1.
        var share: Double
        var title: String
    }

    /// A vertical line, or a label below the axis; the place counts bars from the left edge.
    struct Mark {
        var place: Double
        var text: String
    }

    var bars: [Bar]
    var ticks: [Mark]
    var markers: [Mark] = []
    var xLabel: String
    /// A share to compare with, drawn as a dashed line.
    var reference: Double?
    var label: String
    var width = 860.0
    var height = 260.0

    var svg: HTML {
        let (left, right, bottom) = (46.0, 10.0, 44.0)
        let top = 26.0 + 15 * Double(markers.count)
        let highest = max(bars.map(\.share).max() ?? 0, reference ?? 0)
        guard highest > 0 else { return "" }
        let y = Axis(0...highest * 100, from: height - bottom, to: top, count: 4)
        let step = (width - left - right) / Double(bars.count)
        var content: HTML = ""
        for tick in y.ticks {
            content += Drawing.line(left, y.place(tick), width - right, y.place(tick), "grid")
            content += Drawing.text(left - 8, y.place(tick) + 4, .end, Numbers.fixed(tick, y.digits))
        }
        content += Drawing.text(2, 12, .start, "%", kind: "name")
        content += "<g class=\"bars\">"
        let gap = step > 5 ? 1.0 : 0
        for (index, bar) in bars.enumerated() where bar.share > 0 {
            let place = y.place(bar.share * 100)
            content += """
                <rect x="\(Drawing.at(left + Double(index) * step + gap / 2))" y="\(Drawing.at(place))" width="\(Drawing.at(step - gap))" \
                height="\(Drawing.at(max(y.start - place, 0.5)))"><title>\(bar.title)</title></rect>
                """
        }
        content += "</g>"
        content += Drawing.line(left, y.start, width - right, y.start, "axis")
        for tick in ticks {
            let x = left + tick.place * step
            content += Drawing.line(x, y.start, x, y.start + 5, "axis")
            content += Drawing.text(x, y.start + 19, .middle, tick.text)
        }
        if let reference {
            content += Drawing.line(left, y.place(reference * 100), width - right, y.place(reference * 100), "bound")
        }
        for (index, marker) in markers.enumerated() {
            let x = left + marker.place * step
            let height = 12.0 + 15 * Double(index)
            content += Drawing.line(x, height + 3, x, y.start, "marker")
            let isRight = x > width * 0.7
            content += Drawing.text(x + (isRight ? -5 : 5), height + 9, isRight ? .end : .start, marker.text, kind: "marker-name")
        }
        content += Drawing.text((left + width - right) / 2, height - 5, .middle, xLabel, kind: "name")
        return Drawing.svg(width: width, height: height, label: label, content)
    }
}
