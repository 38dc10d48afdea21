/// A token whose text is cut out of the input before pieces are made.
package struct AddedToken: Sendable, Equatable {
    package var id: Int32
    package var text: [UInt8]
    /// Control tokens, cut only where special parsing is asked for. The others are cut always.
    package var isSpecial: Bool
    /// White space beside the token belongs to it.
    package var takesSpaceBefore = false
    package var takesSpaceAfter = false
    /// Only where no letter or digit touches it.
    package var standsAlone = false

    package init(id: Int32, text: [UInt8], isSpecial: Bool) {
        self.id = id
        self.text = text
        self.isSpecial = isSpecial
    }
}

/// Cuts texts at added tokens: leftmost first, the longest of those that begin at one place.
struct AddedTokenCutter: Sendable {
    enum Fragment: Equatable {
        case text(Range<Int>)
        case token(Int32)
    }

    private var tokens: [Int32: AddedToken] = [:]
    private var all = PieceMatcher()
    private var unconditional = PieceMatcher()

    init(_ tokens: [AddedToken]) {
        for token in tokens where !token.text.isEmpty {
            self.tokens[token.id] = token
            all.insert(token.text, id: token.id)
            if !token.isSpecial { unconditional.insert(token.text, id: token.id) }
        }
    }

    /// Text fragments are never empty.
    func cut(_ text: [UInt8], parseSpecial: Bool) -> [Fragment] {
        cut(text, [(text.count, isTrusted: parseSpecial)])
    }

    /// The spans, each given by its end, cover the text. Control tokens are cut only inside a trusted span, and no token
    /// reaches from one span into the next: what stands in one cannot change how the tokens of another are read.
    func cut(_ text: [UInt8], _ spans: [(end: Int, isTrusted: Bool)]) -> [Fragment] {
        if all.isEmpty { return text.isEmpty ? [] : [.text(0 ..< text.count)] }
        var fragments: [Fragment] = []
        var done = 0
        var position = 0
        var span = 0
        while position < text.count {
            while spans[span].end <= position { span += 1 }
            let matcher = spans[span].isTrusted ? all : unconditional
            guard let match = matcher.longestMatch(in: text, from: position, to: spans[span].end), let token = tokens[match.id] else {
                position += 1
                continue
            }
            var start = position
            var end = position + match.length
            position = end
            if token.standsAlone, Self.wordEnds(at: start, text) || Self.wordBegins(at: end, text) { continue }
            if token.takesSpaceBefore { start = max(Self.skipSpaceBackward(from: start, text), done) }
            if token.takesSpaceAfter { end = Self.skipSpaceForward(from: end, text) }
            if done < start { fragments.append(.text(done ..< start)) }
            fragments.append(.token(match.id))
            done = end
            position = max(position, end)
        }
        if done < text.count { fragments.append(.text(done ..< text.count)) }
        return fragments
    }

    // MARK: - Neighbouring characters

    private static func skipSpaceForward(from start: Int, _ text: [UInt8]) -> Int {
        var position = start
        while position < text.count, let (scalar, length) = character(at: position, text), scalar.properties.isWhitespace {
            position += length
        }
        return position
    }

    private static func skipSpaceBackward(from end: Int, _ text: [UInt8]) -> Int {
        var position = end
        while let (scalar, length) = character(before: position, text), scalar.properties.isWhitespace { position -= length }
        return position
    }

    private static func wordEnds(at end: Int, _ text: [UInt8]) -> Bool {
        character(before: end, text).map { isWordCharacter($0.0) } ?? false
    }

    private static func wordBegins(at start: Int, _ text: [UInt8]) -> Bool {
        start < text.count && (character(at: start, text).map { isWordCharacter($0.0) } ?? false)
    }

    private static func character(at start: Int, _ text: [UInt8]) -> (Unicode.Scalar, Int)? {
        let length = UTF8Scanning.characterLength(text, at: start)
        if length == 0 { return nil }
        return String(decoding: text[start ..< start + length], as: UTF8.self).unicodeScalars.first.map { ($0, length) }
    }

    private static func character(before end: Int, _ text: [UInt8]) -> (Unicode.Scalar, Int)? {
        var start = end - 1
        while start > 0, end - start < 4, UTF8Scanning.isContinuation(text[start]) { start -= 1 }
        guard start >= 0, let (scalar, length) = character(at: start, text), start + length == end else { return nil }
        return (scalar, length)
    }

    /// The characters that regular expressions call \w.
    private static func isWordCharacter(_ scalar: Unicode.Scalar) -> Bool {
        if scalar.properties.isAlphabetic || scalar.properties.isJoinControl { return true }
        return switch scalar.properties.generalCategory {
        case .nonspacingMark, .spacingMark, .enclosingMark, .decimalNumber, .connectorPunctuation: true
        default: false
        }
    }
}
