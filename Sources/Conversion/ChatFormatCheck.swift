import ByteStorage
import ChatTemplates
import ModelFiles

/// Looks at a checkpoint's chat template before it goes into a model file, and chooses what the file records.
struct ChatFormatCheck {
    /// The format to record: the one asked for, or the built-in one of a checkpoint which has no template but is known by the name of its folder.
    private(set) var recorded: RecordedChatFormat?
    private(set) var note: String?
    private(set) var faults: [String] = []

    /// - Parameter asked: what was asked for, a built-in name or `ChatFormat.ownTemplate`.
    init(folder: String, archive: TokenizerArchive, config: String, asked: String?) {
        let evidence = ChatFormatEvidence(
            tokenizerConfiguration: archive["tokenizer_config.json"], specialTokensMap: archive["special_tokens_map.json"],
            templateFile: archive["chat_template.jinja"], configuration: Array(config.utf8),
            name: AtomicFileWriter.split(Folders.canonical(folder) ?? folder).name)
        do throws(ChatTemplateError) {
            let chosen = try ChatFormat.choose(evidence, asked: asked)
            if let asked {
                if chosen.format.name == asked {
                    recorded = RecordedChatFormat(name: asked, isAsked: true)
                } else {
                    faults.append("chat format: the checkpoint has no chat template; choose one of \(ChatFormat.builtInNames.joined(separator: ", "))")
                }
            } else if chosen.isByName {
                recorded = RecordedChatFormat(name: chosen.format.name, isAsked: false)
                note = "chat format \(chosen.format.name): \(chosen.reason)"
            }
        } catch {
            // Of what was not asked for: a model without any format is no chat model, or its user chooses one.
            if asked != nil { faults.append("\(error)") } else if error.code != .unknownFormat { note = "the chat template cannot be used: \(error)" }
        }
    }
}

/// What a model file says about its chat format. Authority: `Formats/QuernFile.md`, section 6.
package struct RecordedChatFormat: Sendable {
    package let name: String
    /// Whether the user chose it; else it is by the checkpoint's name.
    package let isAsked: Bool
}
