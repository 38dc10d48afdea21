import StrictJSON

/// What a checkpoint or a model file says about how to talk with its model. Files are given by their bytes; nil for one that is not there.
package struct ChatFormatEvidence: Sendable {
    /// tokenizer_config.json: `chat_template`, special tokens.
    package var tokenizerConfiguration: [UInt8]?
    /// special_tokens_map.json
    package var specialTokensMap: [UInt8]?
    /// chat_template.jinja; newer checkpoints keep the template there.
    package var templateFile: [UInt8]?
    /// config.json: `_name_or_path`.
    package var configuration: [UInt8]?
    /// The name that the conversion wrote into the model file.
    package var recordedFormat: String?
    /// Whether it was an option of the conversion; else the checkpoint's name spoke for it.
    package var isRecordedAsAsked: Bool
    /// Name of the folder or of the model file, without what leads to it.
    package var name: String?

    package init(
        tokenizerConfiguration: [UInt8]? = nil, specialTokensMap: [UInt8]? = nil, templateFile: [UInt8]? = nil, configuration: [UInt8]? = nil,
        recordedFormat: String? = nil, isRecordedAsAsked: Bool = false, name: String? = nil
    ) {
        self.tokenizerConfiguration = tokenizerConfiguration
        self.specialTokensMap = specialTokensMap
        self.templateFile = templateFile
        self.configuration = configuration
        self.recordedFormat = recordedFormat
        self.isRecordedAsAsked = isRecordedAsAsked
        self.name = name
    }
}

/// A chat format and why it is used.
package struct ChosenChatFormat: Sendable {
    package let format: ChatFormat
    /// For the user, as in "chat format med42: REASON".
    package let reason: String
    /// Whether only the model's name speaks for it; then the user must be told.
    package let isByName: Bool
}

extension ChatFormat {
    /// What `--chat-format` calls the checkpoint's own template.
    package static let ownTemplate = "template"

    /// The format of a model: the one asked for, else the one recorded at conversion, else the checkpoint's own template, else, for a
    /// checkpoint of a known name, the built-in one.
    ///
    /// - Parameters:
    ///   - asked: a built-in name, or `ownTemplate`.
    ///   - date: what templates that print the date are told; the same for a whole conversation.
    package static func choose(
        _ evidence: ChatFormatEvidence, asked: String? = nil, date: CalendarDate = .now
    ) throws(ChatTemplateError) -> ChosenChatFormat {
        let tokens = SpecialTokenTexts(reading: [
            try object(evidence.specialTokensMap, "special_tokens_map.json"), try object(evidence.tokenizerConfiguration, configurationFile),
        ])
        if let name = asked ?? evidence.recordedFormat, name != ownTemplate {
            guard let format = builtIn(name, tokens: tokens) else { throw unknown(name) }
            let isByName = asked == nil && !evidence.isRecordedAsAsked
            let reason = isByName ? "recorded at conversion by the checkpoint's name, because it has no chat template"
                : asked == nil ? "asked for at conversion" : "asked for"
            return ChosenChatFormat(format: format, reason: reason, isByName: isByName)
        }
        if let source = try templateSource(evidence) {
            let template = try ChatTemplate(source: source.bytes, file: source.file)
            let format = ChatFormat(name: ownTemplate, stopStrings: [], stopTokens: endTokens) { messages, prompts throws(ChatTemplateError) in
                try template.render(messages, addGenerationPrompt: prompts, tokens: tokens, date: date)
            }
            return ChosenChatFormat(format: format, reason: "the checkpoint's own, \(source.file)", isByName: false)
        }
        let known = try KnownCheckpoint.find(evidence)
        if let known, let name = known.checkpoint.format, let format = builtIn(name, tokens: tokens) {
            return ChosenChatFormat(
                format: format, reason: "by the name '\(known.name)', because the checkpoint has no chat template", isByName: true)
        }
        throw noFormat(known?.checkpoint)
    }

    /// Tokens that end a turn in the formats of templates; a vocabulary has some of them or none.
    private static let endTokens = ["<|eot_id|>", "<|end_of_text|>", "<|eom_id|>", "<|im_end|>", "<|end|>", "<end_of_turn>"]

    /// chat_template.jinja, else `chat_template` in tokenizer_config.json: a string, or a list of named ones of which "default" is taken.
    private static func templateSource(_ evidence: ChatFormatEvidence) throws(ChatTemplateError) -> (bytes: [UInt8], file: String)? {
        if let bytes = evidence.templateFile { return (bytes, "chat_template.jinja") }
        guard let value = try object(evidence.tokenizerConfiguration, configurationFile)?["chat_template"], !value.isNull else { return nil }
        let file = "chat_template in \(configurationFile)"
        if let text = value.jsonString { return (text.bytes, file) }
        let templates = value.array ?? []
        if let row = templates.first(where: { $0["name"]?.string == "default" }), let text = row["template"]?.jsonString {
            return (text.bytes, "\(file), 'default'")
        }
        let names = templates.compactMap { $0["name"]?.jsonString?.quoted }.joined(separator: ", ")
        throw ChatTemplateError(
            .malformed, file: file,
            problem: "expected a string, or a list with a template named 'default', found \(names.isEmpty ? value.summary : names)", advice: ChatTemplate.cure)
    }

    private static let configurationFile = "tokenizer_config.json"

    private static let names = builtInNames.joined(separator: ", ")

    private static func unknown(_ name: String) -> ChatTemplateError {
        ChatTemplateError(
            .unknownFormat, file: "chat format", problem: "there is none of the name \(JSONString.quoted(name))",
            advice: "choose one of \(names), or '\(ownTemplate)' for the checkpoint's own template")
    }

    private static func noFormat(_ known: KnownCheckpoint?) -> ChatTemplateError {
        ChatTemplateError(
            .unknownFormat, file: "chat format",
            problem: "the checkpoint has no chat template" + (known.map { " and is a \($0.title); \($0.explanation)" } ?? ", and its name is not a known one"),
            advice: "choose one with --chat-format: \(names)")
    }

    /// The members of a JSON file; nil without one.
    static func object(_ bytes: [UInt8]?, _ file: String) throws(ChatTemplateError) -> JSONObject? {
        guard let bytes else { return nil }
        let cure = "fetch the file again from where the model comes from"
        do throws(JSONError) {
            if let object = try JSONReader.read(bytes).object { return object }
        } catch {
            throw ChatTemplateError(.malformed, file: file, problem: "byte \(error.offset): expected JSON, found something else (\(error.message))", advice: cure)
        }
        throw ChatTemplateError(.malformed, file: file, problem: "expected a JSON object, found another value", advice: cure)
    }
}

/// A checkpoint that has no chat template of its own but is known by name.
struct KnownCheckpoint: Sendable {
    let title: String
    /// Lower case; the name must hold one of them. The first row that matches counts.
    let parts: [String]
    /// The built-in format that is taken without asking; nil where none is certain.
    let format: String?
    let explanation: String

    private static let all = [
        KnownCheckpoint(
            title: "Med42 of the second version", parts: ["llama3-med42", "llama-3-med42", "med42-v2", "med42_v2"], format: nil,
            explanation: "its tokenizer_config.json has a template of the llama-3 kind when it is complete"),
        KnownCheckpoint(title: "Med42", parts: ["med42"], format: "med42", explanation: "its model card shows the format"),
        KnownCheckpoint(
            title: "ClinicalCamel", parts: ["clinicalcamel", "clinical-camel", "clinical_camel", "qcammel"], format: nil,
            explanation: "no format is published for it; vicuna and llama-2-chat have both been used, and answers should be compared"),
    ]

    static func find(_ evidence: ChatFormatEvidence) throws(ChatTemplateError) -> (name: String, checkpoint: KnownCheckpoint)? {
        let path = try ChatFormat.object(evidence.configuration, "config.json")?["_name_or_path"]?.string
        for name in [path?.split(separator: "/").last.map(String.init), evidence.name] {
            guard let name else { continue }
            let lowered = name.lowercased()
            if let row = all.first(where: { row in row.parts.contains { lowered.contains($0) } }) {
                return (name, row)
            }
        }
        return nil
    }
}
