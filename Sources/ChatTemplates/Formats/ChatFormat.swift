/// How a conversation becomes the text that a model was trained on.
package struct ChatFormat: Sendable {
    /// "med42", or "chat_template" for the checkpoint's own.
    package let name: String
    /// Texts at which an answer ends; they are not part of it.
    package let stopStrings: [String]
    /// Tokens at which an answer ends, beside the model's own end-of-text tokens, where the vocabulary has them.
    package let stopTokens: [String]

    private let body: @Sendable ([ChatMessage], Bool) throws(ChatTemplateError) -> MarkedText

    init(
        name: String, stopStrings: [String], stopTokens: [String],
        body: @escaping @Sendable ([ChatMessage], _ addGenerationPrompt: Bool) throws(ChatTemplateError) -> MarkedText
    ) {
        self.name = name
        self.stopStrings = stopStrings
        self.stopTokens = stopTokens
        self.body = body
    }

    /// The conversation's text. It may begin with the begin token's text; then the tokenizer must add none.
    ///
    /// - Parameter addGenerationPrompt: whether the text ends where the assistant's next answer begins.
    /// - Returns: pieces of alternating trust, none empty.
    package func render(_ messages: [ChatMessage], addGenerationPrompt: Bool = true) throws(ChatTemplateError) -> [RenderedPiece] {
        try body(messages, addGenerationPrompt).pieces
    }
}
