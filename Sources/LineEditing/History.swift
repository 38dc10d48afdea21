/// Earlier lines, oldest first, and the way back through them.
package struct History: Sendable {
    package private(set) var entries: [String] = []
    private let limit: Int
    /// The entry that is shown; entries.count stands for the line being written.
    private var place = 0
    private var draft = ""

    package init(_ entries: [String] = [], limit: Int = 1000) {
        self.limit = limit
        for entry in entries { add(entry) }
    }

    /// A line that was given. An empty one, or the same as before, is not kept twice.
    package mutating func add(_ line: String) {
        if !line.allSatisfy(\.isWhitespace), line != entries.last { entries.append(line) }
        if entries.count > limit { entries.removeFirst(entries.count - limit) }
        place = entries.count
        draft = ""
    }

    /// The entry before; nil at the first one.
    package mutating func back(from line: String) -> String? {
        guard place > 0 else { return nil }
        if place == entries.count { draft = line }
        place -= 1
        return entries[place]
    }

    /// The entry after, at last the line that was being written; nil there.
    package mutating func forward() -> String? {
        guard place < entries.count else { return nil }
        place += 1
        return place == entries.count ? draft : entries[place]
    }

    // MARK: A file of lines; a line break in an entry is \n in it, and a backslash is \\.

    package init(file text: String, limit: Int = 1000) {
        self.init(text.split(separator: "\n").map { Self.unescaped(String($0)) }, limit: limit)
    }

    package var fileText: String {
        entries.map { $0.replacing("\\", with: "\\\\").replacing("\n", with: "\\n") + "\n" }.joined()
    }

    private static func unescaped(_ line: String) -> String {
        var text = "", isEscaped = false
        for character in VisibleText.escaped(line) {
            if isEscaped { text.append(character == "n" ? "\n" : character) } else if character != "\\" { text.append(character) }
            isEscaped = character == "\\" && !isEscaped
        }
        return text
    }
}
