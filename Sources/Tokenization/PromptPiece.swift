/// A part of a prompt, and whether the program or its user wrote it.
package struct PromptPiece: Sendable, Equatable {
    package let text: [UInt8]
    /// Text of a template: what spells a control token there is that token. In all other text it stays text.
    package let isTrusted: Bool

    package init(_ text: some Collection<UInt8>, isTrusted: Bool) {
        self.text = Array(text)
        self.isTrusted = isTrusted
    }

    package init(_ text: String, isTrusted: Bool) {
        self.init(text.utf8, isTrusted: isTrusted)
    }
}

extension Tokenizer {
    /// The token ids of a prompt made of pieces.
    ///
    /// The pieces are joined first, so the ids are those of the whole text with its control tokens parsed, as long as no
    /// untrusted piece spells such a token. What an untrusted piece spells is never one, not even together with the pieces
    /// beside it. `addBOS` puts the begin token in front whether or not the pieces begin with it.
    package func encode(_ pieces: [PromptPiece], addBOS: Bool) -> [Int32] {
        var text: [UInt8] = []
        var spans: [(end: Int, isTrusted: Bool)] = []
        for piece in pieces where !piece.text.isEmpty {
            text += piece.text
            if let last = spans.last, last.isTrusted == piece.isTrusted { spans.removeLast() }
            spans.append((text.count, piece.isTrusted))
        }
        return encode(text, spans, addBOS: addBOS)
    }
}
