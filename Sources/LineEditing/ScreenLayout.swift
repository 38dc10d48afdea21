/// Where text being written stands on the screen: its rows, and the cursor's place among them.
package struct ScreenLayout: Sendable, Equatable {
    package struct Row: Sendable, Equatable {
        package var text = ""
        package var columns = 0
    }

    package private(set) var rows = [Row()]
    package private(set) var cursorRow = 0
    package private(set) var cursorColumn = 0

    /// Tabs reach to the next multiple.
    private static let tabStop = 4

    /// Rows of at most `width` columns. The first line stands after the prompt, further ones after as many spaces, unless the screen is
    /// so narrow that little room would be left.
    package init(_ buffer: EditBuffer, prompt: String, width: Int) {
        precondition(width >= 2, "a screen of \(width) columns")
        let indent = DisplayWidth.of(prompt)
        rows[0] = Row(text: prompt, columns: indent)
        if indent >= width { rows.append(Row()) }
        for (index, character) in buffer.characters.enumerated() {
            if index == buffer.cursor { placeCursor(width, next: character) }
            if character == "\n" {
                let space = indent * 2 < width ? indent : 0
                rows.append(Row(text: String(repeating: " ", count: space), columns: space))
                continue
            }
            let column = rows[rows.count - 1].columns
            let isTab = character == "\t"
            let columns = isTab ? min(Self.tabStop - column % Self.tabStop, max(width - column, 1)) : DisplayWidth.of(character)
            if column + columns > width, column > 0 { rows.append(Row()) }
            rows[rows.count - 1].text += isTab ? String(repeating: " ", count: columns) : String(character)
            rows[rows.count - 1].columns += columns
        }
        if buffer.cursor == buffer.characters.count { placeCursor(width, next: nil) }
    }

    /// Before the next character. Where no room is left in the row the cursor stands at the start of the next one.
    private mutating func placeCursor(_ width: Int, next: Character?) {
        let column = rows[rows.count - 1].columns
        let needed = next.map { $0 == "\n" ? 1 : max(1, DisplayWidth.of($0)) } ?? 1
        if column + needed > width, column > 0 {
            // A line break after a full row makes a row of its own; the cursor stays at the end of this one.
            if next == "\n" { return (cursorRow, cursorColumn) = (rows.count - 1, width - 1) }
            rows.append(Row())
        }
        (cursorRow, cursorColumn) = (rows.count - 1, rows[rows.count - 1].columns)
    }

    /// Rows above the cursor's once a terminal of another width has wrapped these rows anew.
    package func rowsAboveCursor(atWidth width: Int) -> Int {
        let width = max(width, 1)
        return rows[..<cursorRow].reduce(0) { $0 + max(1, ($1.columns + width - 1) / width) } + cursorColumn / width
    }
}

/// Keeps what is on the screen like the text being written, by output that moves the cursor, erases and writes (ECMA-48).
package struct LineView: Sendable {
    package let prompt: String
    package private(set) var width: Int
    package private(set) var height: Int
    /// What the terminal shows; nil when it shows nothing of the text.
    private var shown: ScreenLayout?

    package init(prompt: String, width: Int, height: Int) {
        self.prompt = prompt
        self.width = max(width, 2)
        self.height = max(height, 1)
    }

    /// The output that shows the buffer as it is now.
    package mutating func update(_ buffer: EditBuffer) -> String { draw(ScreenLayout(buffer, prompt: prompt, width: width), rowLimit: height) }

    /// The same once more on a screen of another size.
    package mutating func resize(width: Int, height: Int, _ buffer: EditBuffer) -> String {
        let above = shown.map { min($0.rowsAboveCursor(atWidth: width), max(height, 1) - 1) } ?? 0
        (self.width, self.height) = (max(width, 2), max(height, 1))
        shown = nil
        return Self.up(above) + update(buffer)
    }

    /// The output that shows the whole buffer and leaves the cursor on the line below; the next update begins there.
    package mutating func finish(_ buffer: EditBuffer) -> String {
        var end = buffer
        end.replaceAll(with: buffer.text)
        let output = draw(ScreenLayout(end, prompt: prompt, width: width), rowLimit: .max)
        shown = nil
        return output + "\r\n"
    }

    /// Something else has been written to the screen, or it was cleared.
    package mutating func forget() { shown = nil }

    private mutating func draw(_ layout: ScreenLayout, rowLimit: Int) -> String {
        var output = Self.up(shown?.cursorRow ?? 0) + "\r\u{1B}[J"
        // Of more rows than the screen has, those are shown that end with the cursor's, or begin the text.
        let count = min(layout.rows.count, rowLimit)
        let first = max(0, min(layout.cursorRow - count + 1, layout.rows.count - count))
        output += layout.rows[first..<first + count].map(\.text).joined(separator: "\r\n")
        output += Self.up(first + count - 1 - layout.cursorRow) + "\r"
        if layout.cursorColumn > 0 { output += "\u{1B}[\(layout.cursorColumn)C" }
        shown = layout.cut(to: first..<first + count)
        return output
    }

    private static func up(_ rows: Int) -> String { rows > 0 ? "\u{1B}[\(rows)A" : "" }
}

extension ScreenLayout {
    /// The rows of a range that holds the cursor's.
    fileprivate func cut(to range: Range<Int>) -> ScreenLayout {
        var part = self
        part.rows = Array(rows[range])
        part.cursorRow = cursorRow - range.lowerBound
        return part
    }
}
