/// Text being written, with a cursor between its characters. It may have several lines.
package struct EditBuffer: Sendable, Equatable {
    package private(set) var characters: [Character] = []
    /// 0...characters.count
    package private(set) var cursor = 0

    package init(_ text: String = "") {
        characters = Array(text)
        cursor = characters.count
    }

    package var text: String { String(characters) }
    package var isEmpty: Bool { characters.isEmpty }

    /// A combining mark joins the character before it, so characters are found anew at the seams.
    package mutating func insert(_ text: String) {
        let tail = characters[cursor...]
        let head = Array(String(characters[..<cursor]) + text)
        characters = Array(String(head) + String(tail))
        // Where the tail joins the head's last character, the cursor stays behind that.
        cursor = min(head.count, characters.count)
    }

    package mutating func replaceAll(with text: String) { self = EditBuffer(text) }

    package mutating func moveLeft() { cursor = max(0, cursor - 1) }
    package mutating func moveRight() { cursor = min(characters.count, cursor + 1) }
    package mutating func moveHome() { cursor = lineStart }
    package mutating func moveEnd() { cursor = lineEnd }
    package mutating func moveWordLeft() { cursor = wordStart }
    package mutating func moveWordRight() { cursor = wordEnd }

    /// False at the first line.
    package mutating func moveUp() -> Bool {
        let start = lineStart
        guard start > 0 else { return false }
        let column = columns(from: start, to: cursor)
        cursor = position(atColumn: column, from: self.start(ofLineEndingAt: start - 1), to: start - 1)
        return true
    }

    /// False at the last line.
    package mutating func moveDown() -> Bool {
        let end = lineEnd
        guard end < characters.count else { return false }
        let column = columns(from: lineStart, to: cursor)
        let next = end + 1
        cursor = position(atColumn: column, from: next, to: characters[next...].firstIndex(of: "\n") ?? characters.count)
        return true
    }

    package mutating func deleteLeft() { remove(max(0, cursor - 1)..<cursor) }
    package mutating func deleteRight() { remove(cursor..<min(characters.count, cursor + 1)) }
    package mutating func deleteWordLeft() { remove(wordStart..<cursor) }
    package mutating func deleteWordRight() { remove(cursor..<wordEnd) }
    /// Of the line; at its start the line break before it.
    package mutating func deleteToStart() { remove((lineStart == cursor ? max(0, cursor - 1) : lineStart)..<cursor) }
    /// Of the line; at its end the line break after it.
    package mutating func deleteToEnd() { remove(cursor..<(lineEnd == cursor ? min(characters.count, cursor + 1) : lineEnd)) }

    private mutating func remove(_ range: Range<Int>) {
        let before = characters.count
        // What was apart may become one character.
        characters = Array(String(characters[..<range.lowerBound]) + String(characters[range.upperBound...]))
        cursor = min(range.lowerBound, characters.count)
        if characters.count < before - range.count { cursor = min(cursor, Array(String(characters[..<cursor])).count) }
    }

    private var lineStart: Int { start(ofLineEndingAt: cursor) }
    private var lineEnd: Int { characters[cursor...].firstIndex(of: "\n") ?? characters.count }
    private func start(ofLineEndingAt end: Int) -> Int { (characters[..<end].lastIndex(of: "\n") ?? -1) + 1 }

    private static func isWord(_ character: Character) -> Bool { character.isLetter || character.isNumber || character == "_" }

    private var wordStart: Int {
        var place = cursor
        while place > 0, !Self.isWord(characters[place - 1]) { place -= 1 }
        while place > 0, Self.isWord(characters[place - 1]) { place -= 1 }
        return place
    }

    private var wordEnd: Int {
        var place = cursor
        while place < characters.count, !Self.isWord(characters[place]) { place += 1 }
        while place < characters.count, Self.isWord(characters[place]) { place += 1 }
        return place
    }

    private func columns(from start: Int, to end: Int) -> Int { characters[start..<end].reduce(0) { $0 + DisplayWidth.of($1) } }

    private func position(atColumn column: Int, from start: Int, to end: Int) -> Int {
        var (place, columns) = (start, 0)
        while place < end {
            columns += DisplayWidth.of(characters[place])
            if columns > column { break }
            place += 1
        }
        return place
    }
}
