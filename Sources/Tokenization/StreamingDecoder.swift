/// How ids become text.
package enum DecodingStyle: Sendable, CaseIterable {
    /// As SentencePiece: control tokens vanish, an unknown token shows as " ⁇ ".
    case sentencePiece
    /// As Hugging Face tokenizers with skip_special_tokens: special tokens, the unknown one among them, vanish.
    case skippingSpecial
    /// As Hugging Face tokenizers without it: special tokens show as their text.
    case keepingSpecial
}

/// Turns ids into text one by one. A character is given out only when all its bytes are there.
///
/// The joined output is that of `Tokenizer.decode`, id for id, for byte-level tokenizers and for `.sentencePiece`; for the other styles it
/// is as long as byte tokens spell well-formed UTF-8 (there, decoding at once gives up a whole run of byte tokens for one bad byte).
package struct StreamingDecoder: Sendable {
    private let tokenizer: Tokenizer
    private let style: DecodingStyle
    /// Whether the space that stands before a text's first word may still come.
    private var expectsLeadingSpace: Bool
    private var heldBack: [UInt8] = []
    /// Kept between tokens, so that one more allocates nothing.
    private var scratch: [UInt8] = []

    /// `contextIsEmpty`: nothing precedes the ids, so the space before the first word is dropped. After a prompt it stays.
    package init(_ tokenizer: Tokenizer, style: DecodingStyle = .sentencePiece, contextIsEmpty: Bool) {
        self.tokenizer = tokenizer
        self.style = style
        expectsLeadingSpace = contextIsEmpty && tokenizer.dropsLeadingSpace
    }

    /// The text that is complete with this id; often empty. An id that no token has adds nothing.
    package mutating func append(_ id: Int32) -> String {
        var output: [UInt8] = []
        swap(&output, &scratch)
        output.removeAll(keepingCapacity: true)
        append(id, to: &output)
        defer { swap(&output, &scratch) }
        return String(decoding: output, as: UTF8.self)
    }

    /// What is still held back: bytes of a character that was never completed, as U+FFFD.
    package mutating func finish() -> String {
        var output: [UInt8] = []
        finish(into: &output)
        return String(decoding: output, as: UTF8.self)
    }

    mutating func append(_ id: Int32, to output: inout [UInt8]) {
        switch tokenizer.surface(of: id, style) {
        case .nothing:
            // SentencePiece ends a run of byte pieces at a control token; the others do not see the token.
            if style == .sentencePiece, !tokenizer.encoder.isByteLevel { finish(into: &output) }
        case .byte(let byte):
            if style != .sentencePiece, expectsLeadingSpace, byte == 0x20 {
                expectsLeadingSpace = false
                return
            }
            expectsLeadingSpace = false
            heldBack.append(byte)
            release(into: &output)
        case .bytes(let bytes):
            heldBack += bytes
            release(into: &output)
        case .unknown(let text):
            finish(into: &output)
            expectsLeadingSpace = false
            output += text
        case .text(let text):
            finish(into: &output)
            if text.isEmpty { return }
            let text = expectsLeadingSpace ? withoutLeadingSpace(text) : text
            expectsLeadingSpace = false
            UTF8Scanning.append(text, withSpacesTo: &output)
        }
    }

    mutating func finish(into output: inout [UInt8]) {
        // What is held back is the start of one character.
        for _ in tokenizer.encoder.isByteLevel ? heldBack.prefix(1) : heldBack[...] { output += UTF8Scanning.replacement }
        heldBack.removeAll(keepingCapacity: true)
    }

    /// SentencePiece drops the mark only; the other styles a space as well, whatever it came from.
    private func withoutLeadingSpace(_ text: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        if text.starts(with: UTF8Scanning.spaceMark) { return text.dropFirst(UTF8Scanning.spaceMark.count) }
        return style != .sentencePiece && text.first == 0x20 ? text.dropFirst() : text
    }

    /// Gives out whole characters; keeps the start of one that can still be completed.
    private mutating func release(into output: inout [UInt8]) {
        var position = 0
        while position < heldBack.count {
            let length = UTF8Scanning.characterLength(heldBack, at: position)
            if length > 0 {
                output += heldBack[position ..< position + length]
                position += length
            } else {
                let part = UTF8Scanning.maximalSubpart(heldBack, at: position)
                if position + part == heldBack.count, part < UTF8Scanning.announcedLength(heldBack[position]) { break }
                output += UTF8Scanning.replacement
                // Byte-level text follows the Unicode standard, SentencePiece replaces each byte.
                position += tokenizer.encoder.isByteLevel ? part : 1
            }
        }
        heldBack.removeFirst(position)
    }
}
