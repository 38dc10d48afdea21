import ArgumentParser
import Chat
import ChatTemplates
import Conversion
import Generation
import Inference
import ModelFiles

/// A prompt that is one question of a conversation.
struct SingleTurnOptions: ParsableArguments {
    @Flag(help: "The prompt is a question; answer it in the model's chat format.") var chat = false
    @Option(help: "With --chat: the system message. Default: the format's own, if it has one; '' for none.") var system: String?
    @Option(help: "With --chat: \(ChatFormat.builtInNames.joined(separator: ", ")), or \(ChatFormat.ownTemplate) for the model's own. Default: what the model file says.")
    var chatFormat: String?

    func validate() throws {
        if !chat && system != nil { throw ValidationError("--system is the system message of a chat; give --chat, too.") }
        if !chat && chatFormat != nil { throw ValidationError("--chat-format is for a chat; give --chat, too.") }
    }

    struct Turn {
        var ids: [Int32]
        /// Tokens and texts that end the answer.
        var ends: [Int32]
        var stopStrings: [String]
    }

    /// Nil without --chat.
    func turn(_ question: [UInt8], _ running: RunningModel, isVerbose: Bool) throws -> Turn? {
        guard chat else { return nil }
        guard let question = String(validating: question, as: UTF8.self) else {
            throw ConversionError("prompt: expected UTF-8 text for a chat, found other bytes; convert the text")
        }
        return try ErrorPresentation.naming(running.model.reader.path) {
            let chosen = try ChatFormat.choose(ChatFormatEvidence(modelFile: running.model.reader), asked: chatFormat)
            if isVerbose || chosen.isByName { Terminal.note("chat format \(chosen.format.name): \(chosen.reason)") }
            let prompt = ChatPrompt(format: chosen.format, tokenizer: running.tokenizer)
            let messages = (system.map { [ChatMessage(role: .system, content: $0)] } ?? []) + [ChatMessage(role: .user, content: question)]
            return Turn(ids: try prompt.ids(messages), ends: prompt.ends, stopStrings: chosen.format.stopStrings)
        }
    }
}
