package import ChatTemplates
package import Tokenization

/// A conversation as the tokens that a model goes on from.
package struct ChatPrompt: Sendable {
    package let format: ChatFormat
    package let tokenizer: Tokenizer
    /// Tokens that end an answer.
    package let ends: [Int32]

    package init(format: ChatFormat, tokenizer: Tokenizer) {
        self.format = format
        self.tokenizer = tokenizer
        // Also tokens that are not marked as control tokens: user-defined pieces of a vocabulary and tokens that a checkpoint added without the
        // mark are what its template's text becomes, so the model ends its answers with them.
        ends = tokenizer.endIDs + format.stopTokens.compactMap { tokenizer.id(of: $0.utf8) }
    }

    /// The whole conversation up to where the next answer begins.
    package func ids(_ messages: [ChatMessage]) throws(ChatTemplateError) -> [Int32] {
        let pieces = try format.render(messages)
        // A template may write the begin token itself.
        let begin = tokenizer.roleTexts["bos_token"] ?? []
        let hasBegin = pieces.first.map { $0.isTrusted && !begin.isEmpty && $0.text.utf8.starts(with: begin) } ?? false
        return tokenizer.encode(pieces.map { PromptPiece($0.text, isTrusted: $0.isTrusted) }, addBOS: tokenizer.addsBegin && !hasBegin)
    }
}
