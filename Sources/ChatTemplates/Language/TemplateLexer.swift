/// Cuts a template into words, with Jinja's options trim_blocks and lstrip_blocks: the line break after a statement or comment, and
/// the white space before one that begins its line, are not part of the text.
struct TemplateLexer {
    let source: [UInt8]
    let file: String
    var position = 0
    var line = 1
    private(set) var tokens: [TemplateToken] = []
    /// Whether the last word before `position` ended with a line break, or there was none.
    private var isLineStart = true

    /// - Parameter source: valid UTF-8.
    static func tokens(of source: [UInt8], file: String) throws(ChatTemplateError) -> [TemplateToken] {
        var lexer = TemplateLexer(source: source, file: file)
        try lexer.readAll()
        return lexer.tokens
    }

    private init(source: [UInt8], file: String) {
        self.source = Self.withPlainLineBreaks(source)
        self.file = file
    }

    /// CR LF and CR become LF; one line break at the end is dropped.
    private static func withPlainLineBreaks(_ source: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(source.count)
        for (index, byte) in source.enumerated() {
            if byte == 0x0D {
                result.append(0x0A)
            } else if byte != 0x0A || index == 0 || source[index - 1] != 0x0D {
                result.append(byte)
            }
        }
        if result.last == 0x0A { result.removeLast() }
        return result
    }

    // MARK: Text between tags

    private mutating func readAll() throws(ChatTemplateError) {
        while position < source.count {
            guard let start = nextTag(from: position) else {
                emit(.data(Array(source[position...])))
                position = source.count
                break
            }
            let kind = source[start + 1]
            emitText(position..<start, sign: sign(at: start + 2), isExpression: kind == UInt8(ascii: "{"))
            advance(to: start)
            if kind == UInt8(ascii: "#") {
                try skipComment()
            } else if let end = rawTagEnd(from: start, "raw", trimsLine: false) {
                advance(to: end)
                try readRaw()
            } else {
                let isExpression = kind == UInt8(ascii: "{")
                emit(isExpression ? .expressionBegin : .statementBegin)
                advance(to: start + (sign(at: start + 2) == nil ? 2 : 3))
                try readTag(isExpression: isExpression)
            }
        }
        emit(.end)
    }

    private func nextTag(from start: Int) -> Int? {
        var index = start
        while index + 1 < source.count {
            if source[index] == UInt8(ascii: "{"), "{%#".utf8.contains(source[index + 1]) { return index }
            index += 1
        }
        return nil
    }

    /// The '-' or '+' of a tag's edge.
    private func sign(at index: Int) -> UInt8? {
        index < source.count && "-+".utf8.contains(source[index]) ? source[index] : nil
    }

    private mutating func emitText(_ range: Range<Int>, sign: UInt8?, isExpression: Bool) {
        var end = range.upperBound
        if sign == UInt8(ascii: "-") {
            while end > range.lowerBound {
                let (scalar, length) = PythonText.scalar(source, endingAt: end)
                guard PythonText.isSpace(scalar) else { break }
                end -= length
            }
        } else if sign == nil && !isExpression {
            let lineStart = source[range].lastIndex(of: 0x0A).map { $0 + 1 } ?? range.lowerBound
            if lineStart > range.lowerBound || isLineStart, spaceEnd(from: lineStart, limit: end) == end { end = lineStart }
        }
        if end > range.lowerBound { emit(.data(Array(source[range.lowerBound..<end]))) }
    }

    private mutating func skipComment() throws(ChatTemplateError) {
        var index = position + (sign(at: position + 2) == nil ? 2 : 3)
        while index < source.count {
            if let end = tagEnd(at: index, UInt8(ascii: "#"), hasPlus: true, trimsLine: true) { return advance(to: end) }
            index += 1
        }
        throw malformed("a comment '{#' has no end, expected '#}'")
    }

    /// After '{% raw %}': text up to '{% endraw %}'.
    private mutating func readRaw() throws(ChatTemplateError) {
        var index = position
        while index + 1 < source.count {
            if let end = rawTagEnd(from: index, "endraw", trimsLine: true) {
                emitText(position..<index, sign: sign(at: index + 2), isExpression: false)
                return advance(to: end)
            }
            index += 1
        }
        throw malformed("'{% raw %}' has no end, expected '{% endraw %}'")
    }

    /// The end of a '{% raw %}' or '{% endraw %}' that starts here.
    private func rawTagEnd(from start: Int, _ word: String, trimsLine: Bool) -> Int? {
        guard source[start...].starts(with: "{%".utf8) else { return nil }
        var index = spaceEnd(from: start + (sign(at: start + 2) == nil ? 2 : 3), limit: source.count)
        guard source[index...].starts(with: word.utf8) else { return nil }
        index = spaceEnd(from: index + word.utf8.count, limit: source.count)
        return tagEnd(at: index, UInt8(ascii: "%"), hasPlus: trimsLine, trimsLine: trimsLine)
    }

    // MARK: Edges of tags

    /// The end of what closes a tag here: `-%}` with the white space after it, `+%}`, or `%}` with one line break.
    func tagEnd(at index: Int, _ mark: UInt8, hasPlus: Bool, trimsLine: Bool) -> Int? {
        func closes(_ index: Int) -> Bool {
            index + 1 < source.count && source[index] == mark && source[index + 1] == UInt8(ascii: "}")
        }
        if closes(index) {
            let end = index + 2
            return trimsLine && end < source.count && source[end] == 0x0A ? end + 1 : end
        }
        guard let sign = sign(at: index), closes(index + 1) else { return nil }
        if sign == UInt8(ascii: "-") { return spaceEnd(from: index + 3, limit: source.count) }
        return hasPlus ? index + 3 : nil
    }

    func spaceEnd(from start: Int, limit: Int) -> Int {
        var index = start
        while index < limit {
            let (scalar, length) = PythonText.scalar(source, at: index)
            guard PythonText.isSpace(scalar) else { break }
            index += length
        }
        return index
    }

    mutating func advance(to end: Int) {
        for index in position..<end where source[index] == 0x0A { line += 1 }
        if end > position { isLineStart = source[end - 1] == 0x0A }
        position = end
    }

    mutating func emit(_ kind: TemplateToken.Kind) { tokens.append(TemplateToken(kind: kind, line: line)) }

    func malformed(_ problem: String) -> ChatTemplateError {
        ChatTemplateError(.malformed, file: file, line: line, problem: problem, advice: ChatTemplate.cure)
    }
}
