import LineEditing

/// A terminal as far as the editor needs one: writes, wraps, scrolls, moves the cursor, erases.
struct Screen {
    private(set) var cells: [[Character?]]
    private(set) var row = 0
    private(set) var column = 0
    private let width: Int
    private let height: Int
    private var isWrapPending = false

    init(width: Int, height: Int) {
        (self.width, self.height) = (width, height)
        cells = Array(repeating: Array(repeating: " ", count: width), count: height)
    }

    /// Rows without the spaces at their ends; nil cells are second halves of wide characters.
    var lines: [String] {
        var lines = cells.map { row in
            var text = String(row.compactMap { $0 })
            while text.last == " " { text.removeLast() }
            return text
        }
        while lines.last == "" { lines.removeLast() }
        return lines
    }

    mutating func write(_ output: String) {
        var rest = Array(output)[...]
        while let character = rest.popFirst() {
            switch character {
            case "\r\n":
                column = 0
                lineFeed()
            case "\r": (column, isWrapPending) = (0, false)
            case "\n": lineFeed()
            case "\u{1B}":
                precondition(rest.popFirst() == "[", "an escape sequence of another kind")
                let digits = rest.prefix { $0.isNumber }
                rest = rest.dropFirst(digits.count)
                control(rest.popFirst()!, Int(String(digits)))
            default:
                precondition(!character.unicodeScalars.contains { VisibleText.isHarmful($0) }, "a control character on the screen")
                put(character)
            }
        }
    }

    private mutating func control(_ command: Character, _ number: Int?) {
        isWrapPending = false
        switch (command, number) {
        case ("A", _): row = max(0, row - (number ?? 1))
        case ("C", _): column = min(width - 1, column + (number ?? 1))
        case ("H", nil): (row, column) = (0, 0)
        case ("J", nil):
            for index in column..<width { cells[row][index] = " " }
            for line in (row + 1)..<max(height, row + 1) { cells[line] = Array(repeating: " ", count: width) }
        case ("J", 2): cells = Array(repeating: Array(repeating: " ", count: width), count: height)
        default: preconditionFailure("escape sequence \(number ?? 0)\(command)")
        }
    }

    private mutating func lineFeed() {
        isWrapPending = false
        if row + 1 < height { return row += 1 }
        cells.removeFirst()
        cells.append(Array(repeating: " ", count: width))
    }

    private mutating func put(_ character: Character) {
        let columns = DisplayWidth.of(character)
        if isWrapPending || column + columns > width {
            column = 0
            lineFeed()
        }
        cells[row][column] = character
        for extra in 1..<max(columns, 1) where column + extra < width { cells[row][column + extra] = nil }
        column += columns
        if column >= width { (column, isWrapPending) = (width - 1, true) }
    }
}
