package import ChatTemplates
package import ModelFiles
import StrictJSON

extension ChatFormatEvidence {
    /// What a model file says about its chat format.
    package init(modelFile reader: ModelFileReader) {
        let archive = reader.tokenizer
        self.init(
            tokenizerConfiguration: archive["tokenizer_config.json"], specialTokensMap: archive["special_tokens_map.json"],
            templateFile: archive["chat_template.jinja"], configuration: Array(reader.metadata.config.utf8),
            recordedFormat: reader.metadata.options["chat_format"]?.string,
            isRecordedAsAsked: reader.metadata.options["chat_format_basis"]?.string == "asked", name: reader.path.split(separator: "/").last.map(String.init))
    }
}
