/// One turn of a conversation, as people wrote it.
package struct ChatMessage: Sendable, Equatable {
    package enum Role: String, Sendable, CaseIterable {
        case system, user, assistant
    }

    package var role: Role
    package var content: String

    package init(role: Role, content: String) {
        self.role = role
        self.content = content
    }
}

/// A part of a rendered conversation. Texts that spell special tokens become these tokens in trusted pieces only.
package struct RenderedPiece: Sendable, Equatable {
    package var text: String
    /// Whether the chat format wrote the text. What people wrote, and all that was made of it, is not trusted.
    package var isTrusted: Bool

    package init(text: String, isTrusted: Bool) {
        self.text = text
        self.isTrusted = isTrusted
    }
}
