import ByteStorage
import ChatTemplates
import ModelFiles

/// Looks at a checkpoint's chat template before it goes into a model file.
struct ChatFormatCheck {
    /// The built-in format to record: that of a checkpoint which has no template but is known by the name of its folder.
    private(set) var recorded: String?
    private(set) var note: String?

    init(folder: String, archive: TokenizerArchive, config: String) {
        let evidence = ChatFormatEvidence(
            tokenizerConfiguration: archive["tokenizer_config.json"], specialTokensMap: archive["special_tokens_map.json"],
            templateFile: archive["chat_template.jinja"], configuration: Array(config.utf8),
            name: AtomicFileWriter.split(Folders.canonical(folder) ?? folder).name)
        do throws(ChatTemplateError) {
            let chosen = try ChatFormat.choose(evidence)
            guard chosen.isByName else { return }
            recorded = chosen.format.name
            note = "chat format \(chosen.format.name): \(chosen.reason)"
        } catch {
            // A model without any format is no chat model, or its user chooses one.
            if error.code != .unknownFormat { note = "the chat template cannot be used: \(error)" }
        }
    }
}
