extension ChatFormat {
    package static let builtInNames = builtIns.map(\.name)

    /// The format of a name; nil if there is none.
    package static func builtIn(_ name: String, tokens: SpecialTokenTexts = SpecialTokenTexts()) -> ChatFormat? {
        guard let row = builtIns.first(where: { $0.name == name }) else { return nil }
        return ChatFormat(name: name, stopStrings: row.stopStrings, stopTokens: row.stopTokens) { messages, prompts throws(ChatTemplateError) in
            try row.render(messages, prompts, tokens)
        }
    }

    private struct BuiltIn: Sendable {
        let name: String
        var stopStrings: [String] = []
        var stopTokens: [String] = []
        let render: @Sendable ([ChatMessage], _ addGenerationPrompt: Bool, SpecialTokenTexts) throws(ChatTemplateError) -> MarkedText
    }

    private static let builtIns = [
        BuiltIn(name: "llama-2-chat", render: BuiltInFormats.llama2Chat),
        BuiltIn(name: "llama-3", stopTokens: ["<|eot_id|>", "<|end_of_text|>"], render: BuiltInFormats.llama3),
        BuiltIn(name: "med42", stopStrings: ["<|prompter|>", "<|system|>", "<|assistant|>"], render: BuiltInFormats.med42),
        BuiltIn(name: "vicuna", stopStrings: ["USER:"], render: BuiltInFormats.vicuna),
        BuiltIn(name: "plain", render: BuiltInFormats.plain),
    ]
}

/// Formats that are known exactly. A system message without text counts as none.
enum BuiltInFormats {
    /// `<s>[INST] <<SYS>>\n{system}\n<</SYS>>\n\n{user} [/INST] {assistant} </s>`: the chat_template of Llama-2-chat's tokenizer_config.json.
    @Sendable
    static func llama2Chat(_ messages: [ChatMessage], _ prompts: Bool, _ tokens: SpecialTokenTexts) throws(ChatTemplateError) -> MarkedText {
        let (system, turns) = try split(messages, "llama-2-chat")
        var text = MarkedText()
        for (index, message) in turns.enumerated() {
            if message.role == .user {
                var content = MarkedText()
                if index == 0, let system { content = trusted("<<SYS>>\n") + written(system) + trusted("\n<</SYS>>\n\n") }
                content.append(written(message))
                text.append(trusted((tokens.begin ?? "<s>") + "[INST] ") + content.trimmed() + trusted(" [/INST]"))
            } else {
                text.append(trusted(" ") + written(message).trimmed() + trusted(" " + (tokens.end ?? "</s>")))
            }
        }
        return text
    }

    /// The chat_template of Meta-Llama-3-Instruct; Med42-v2 uses the same.
    @Sendable
    static func llama3(_ messages: [ChatMessage], _ prompts: Bool, _ tokens: SpecialTokenTexts) throws(ChatTemplateError) -> MarkedText {
        var text = messages.isEmpty ? MarkedText() : trusted(tokens.begin ?? "<|begin_of_text|>")
        for message in messages where message.role != .system || !message.content.isEmpty {
            text.append(trusted("<|start_header_id|>\(message.role.rawValue)<|end_header_id|>\n\n"))
            text.append(written(message).trimmed() + trusted("<|eot_id|>"))
        }
        if prompts { text.append(trusted("<|start_header_id|>assistant<|end_header_id|>\n\n")) }
        return text
    }

    /// The system prompt of the example in med42-70b's model card.
    static let med42System = "You are a helpful medical assistant created by M42 Health in the UAE."

    /// The example in med42-70b's model card, with its line break at the start. The card shows no second turn; here the
    /// answer ends with the end token, as training did, and the next question follows on a new line.
    @Sendable
    static func med42(_ messages: [ChatMessage], _ prompts: Bool, _ tokens: SpecialTokenTexts) throws(ChatTemplateError) -> MarkedText {
        let (system, turns) = try split(messages, "med42")
        var text = MarkedText()
        if let system {
            text.append(trusted("\n<|system|>: ") + written(system))
        } else if messages.first?.role != .system {
            text.append(trusted("\n<|system|>: " + med42System))
        }
        for message in turns {
            if message.role == .user {
                text.append(trusted("\n<|prompter|>:") + written(message))
            } else {
                text.append(trusted("\n<|assistant|>:\n") + written(message) + trusted(tokens.end ?? "</s>"))
            }
        }
        if prompts { text.append(trusted("\n<|assistant|>:\n")) }
        return text
    }

    static let vicunaSystem =
        "A chat between a curious user and an artificial intelligence assistant. "
        + "The assistant gives helpful, detailed, and polite answers to the user's questions."

    /// Vicuna 1.1: "{system} USER: {user} ASSISTANT: {assistant}</s>USER: ...".
    @Sendable
    static func vicuna(_ messages: [ChatMessage], _ prompts: Bool, _ tokens: SpecialTokenTexts) throws(ChatTemplateError) -> MarkedText {
        let (system, turns) = try split(messages, "vicuna")
        var text = MarkedText()
        if let system {
            text.append(written(system) + trusted(" "))
        } else if messages.first?.role != .system {
            text.append(trusted(vicunaSystem + " "))
        }
        for message in turns {
            if message.role == .user {
                text.append(trusted("USER: ") + written(message) + trusted(" "))
            } else {
                text.append(trusted("ASSISTANT: ") + written(message) + trusted(tokens.end ?? "</s>"))
            }
        }
        if prompts { text.append(trusted("ASSISTANT:")) }
        return text
    }

    /// For models that were not trained on conversations: every message as it is, with a line break after it.
    @Sendable
    static func plain(_ messages: [ChatMessage], _ prompts: Bool, _ tokens: SpecialTokenTexts) throws(ChatTemplateError) -> MarkedText {
        messages.reduce(MarkedText()) { $0 + written($1) + (($1.content.isEmpty) ? MarkedText() : trusted("\n")) }
    }

    private static func trusted(_ text: String) -> MarkedText { MarkedText(text, isTrusted: true) }
    private static func written(_ message: ChatMessage) -> MarkedText { MarkedText(message.content, isTrusted: false) }

    /// The system message, if it has text, and the turns after it: user and assistant by turns.
    private static func split(_ messages: [ChatMessage], _ format: String) throws(ChatTemplateError) -> (ChatMessage?, ArraySlice<ChatMessage>) {
        let hasSystem = messages.first?.role == .system
        let turns = messages.dropFirst(hasSystem ? 1 : 0)
        for (index, message) in turns.enumerated() where message.role != (index % 2 == 0 ? .user : .assistant) {
            throw ChatTemplateError(
                .refused, file: "chat format \(format)",
                problem: "message \(index + (hasSystem ? 2 : 1)) is the \(message.role.rawValue)'s, expected \(index % 2 == 0 ? "user" : "assistant")",
                advice: "after an optional system message, user and assistant must take turns")
        }
        return (hasSystem && !messages[0].content.isEmpty ? messages[0] : nil, turns)
    }
}
