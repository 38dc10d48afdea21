/// Why a conversation cannot go on as asked.
package enum ChatError: Error, Equatable, CustomStringConvertible {
    /// With everything dropped that can be.
    case messageTooLong(tokens: Int, context: Int)
    case nothingToRegenerate
    /// A file of a conversation breaks a rule.
    case invalidDocument(String)

    package var description: String {
        switch self {
        case .messageTooLong(let tokens, let context):
            "this message, with the system message if there is one, is \(tokens) tokens, expected fewer than the context of \(context); shorten it or start again with a larger --context"
        case .nothingToRegenerate: "there is no answer yet that could be given anew"
        case .invalidDocument(let text): text
        }
    }
}
