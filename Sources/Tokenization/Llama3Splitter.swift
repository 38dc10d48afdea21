/// Splits text into the words that byte-level merging works on. Authority: `Formats/Tokenizers.md`, section 2.
///
/// Complexity: linear in the text, whatever the text is: only runs of white space are looked at more than once, at most three times.
struct Llama3Splitter {
    /// The expression that this code follows, by which files name it.
    static let expression = #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
    /// The same words, written with quantifiers that give nothing back.
    static let possessive = #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#

    let text: [UInt8]
    private let classes = CharacterClasses.shared

    /// Precondition: well-formed UTF-8.
    init(_ text: [UInt8]) { self.text = text }

    /// Where the word that begins at `start` ends. Precondition: a character begins at `start`.
    func wordEnd(from start: Int) -> Int {
        let (first, firstLength) = character(at: start)
        let next = start + firstLength
        if text[start] == UInt8(ascii: "'"), let end = contractionEnd(from: next) { return end }
        switch first {
        case .letter: return run(of: .letter, from: next)
        case .number: return numberEnd(from: next)
        case .lineBreak: return whiteSpaceEnd(from: start)
        case .other:
            if next < text.count, character(at: next).0 == .letter { return run(of: .letter, from: next) }
            return symbolsEnd(from: next)
        case .space:
            if next < text.count {
                let second = character(at: next).0
                if second == .letter { return run(of: .letter, from: next) }
                if second == .other, text[start] == 0x20 { return symbolsEnd(from: next) }
            }
            return whiteSpaceEnd(from: start)
        }
    }

    /// 's 't 're 've 'm 'll 'd in either case; U+017F is an s when case is ignored.
    private func contractionEnd(from start: Int) -> Int? {
        guard start < text.count else { return nil }
        // Bit 5 tells lower case from upper.
        switch text[start] | 0x20 {
        case UInt8(ascii: "s"), UInt8(ascii: "t"), UInt8(ascii: "m"), UInt8(ascii: "d"):
            return start + 1
        case UInt8(ascii: "r"), UInt8(ascii: "v"): return isLetter("e", at: start + 1) ? start + 2 : nil
        case UInt8(ascii: "l"): return isLetter("l", at: start + 1) ? start + 2 : nil
        default: break
        }
        return start + 1 < text.count && text[start] == 0xC5 && text[start + 1] == 0xBF ? start + 2 : nil
    }

    private func isLetter(_ letter: Unicode.Scalar, at position: Int) -> Bool {
        position < text.count && text[position] | 0x20 == UInt8(ascii: letter)
    }

    private func run(of wanted: CharacterClass, from start: Int) -> Int {
        var position = start
        while position < text.count {
            let (found, length) = character(at: position)
            if found != wanted { break }
            position += length
        }
        return position
    }

    private func numberEnd(from start: Int) -> Int {
        var position = start
        for _ in 0 ..< 2 where position < text.count {
            let (found, length) = character(at: position)
            if found != .number { break }
            position += length
        }
        return position
    }

    private func symbolsEnd(from start: Int) -> Int {
        run(of: .lineBreak, from: run(of: .other, from: start))
    }

    private func whiteSpaceEnd(from start: Int) -> Int {
        var position = start
        var lastStart = start
        var afterLineBreak: Int?
        while position < text.count {
            let (found, length) = character(at: position)
            guard found.isWhiteSpace else { break }
            lastStart = position
            position += length
            if found == .lineBreak { afterLineBreak = position }
        }
        if let afterLineBreak { return afterLineBreak }
        return position == text.count || lastStart == start ? position : lastStart
    }

    /// Class and length of the character at `position`.
    private func character(at position: Int) -> (CharacterClass, Int) {
        let lead = UInt32(text[position])
        if lead < 0x80 { return (classes[lead], 1) }
        func continuation(_ offset: Int) -> UInt32 { UInt32(text[position + offset] & 0x3F) }
        if lead < 0xE0 { return (classes[(lead & 0x1F) << 6 | continuation(1)], 2) }
        if lead < 0xF0 { return (classes[(lead & 0x0F) << 12 | continuation(1) << 6 | continuation(2)], 3) }
        return (classes[(lead & 0x07) << 18 | continuation(1) << 12 | continuation(2) << 6 | continuation(3)], 4)
    }
}
