/// A text, its ids, and the ids decoded. Recorded when a model is converted and compared before it runs, so that a file never
/// meets a tokenizer that reads text differently without anybody noticing. Authority: `Formats/Tokenizers.md`, section 5.
package struct TokenizerProbe: Sendable, Equatable {
    package var text: String
    /// Whether control tokens in the text were parsed.
    package var parsesSpecial: Bool
    package var ids: [Int32]
    package var decoded: String

    package init(text: String, parsesSpecial: Bool, ids: [Int32], decoded: String) {
        self.text = text
        self.parsesSpecial = parsesSpecial
        self.ids = ids
        self.decoded = decoded
    }
}
