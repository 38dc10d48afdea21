/// Values by row and column as coloured cells. Of many columns a band each is drawn, one below the other.
struct HeatMap {
    struct Cell {
        var value: Double
        /// Shown in the cell where there is room.
        var text: String
        var title: String
    }

    var rows: [String]
    /// [row][column]; nil where there is nothing.
    var cells: [[Cell?]]
    var columnName: String
    var scale: ColourScale
    var label: String

    private static let width = 960.0
    private static let left = 62.0
    private static let columnsPerBand = 100

    var svg: HTML {
        let columns = cells.map(\.count).max() ?? 0
        let bands = stride(from: 0, to: columns, by: Self.columnsPerBand).map { $0..<min($0 + Self.columnsPerBand, columns) }
        guard let first = bands.first else { return "" }
        let cellWidth = min(52, (Self.width - Self.left) / Double(first.count))
        let cellHeight = 24.0
        let bandHeight = cellHeight * Double(rows.count) + 44
        var content: HTML = ""
        for (index, band) in bands.enumerated() { content += drawn(band, top: Double(index) * bandHeight, cellWidth, cellHeight) }
        return Drawing.svg(
            width: Self.left + cellWidth * Double(first.count) + 2, height: bandHeight * Double(bands.count), label: label, kind: "plot heat", content)
    }

    private func drawn(_ band: Range<Int>, top: Double, _ width: Double, _ height: Double) -> HTML {
        var content: HTML = ""
        let showsText = width >= 34
        // A gap is a line of the background; thin cells have none.
        let gap = width > 6 ? 1.0 : 0
        for (row, name) in rows.enumerated() {
            let y = top + Double(row) * height
            content += Drawing.text(Self.left - 8, y + height / 2 + 4, .end, name)
            for column in band {
                guard column < cells[row].count, let cell = cells[row][column] else { continue }
                let x = Self.left + Double(column - band.lowerBound) * width
                let step = scale.step(cell.value)
                content += """
                    <rect class="h\(step)" x="\(Drawing.at(x))" y="\(Drawing.at(y))" width="\(Drawing.at(width - gap))" height="\(Drawing.at(height - 1))">\
                    <title>\(cell.title)</title></rect>
                    """
                if showsText { content += "<text class=\"c\(step)\" x=\"\(Drawing.at(x + width / 2))\" y=\"\(Drawing.at(y + height / 2 + 4))\" text-anchor=\"middle\">\(cell.text)</text>" }
            }
        }
        let below = top + Double(rows.count) * height
        let every = width >= 20 ? 1 : width >= 11 ? 5 : 10
        for column in band where column % every == 0 {
            content += Drawing.text(Self.left + (Double(column - band.lowerBound) + 0.5) * width, below + 14, .middle, "\(column)")
        }
        content += Drawing.text(Self.left + width * Double(band.count) / 2, below + 31, .middle, columnName, kind: "name")
        return content
    }
}
