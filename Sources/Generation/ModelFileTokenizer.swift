package import ModelFiles
package import Tokenization

extension Tokenizer {
    /// The tokenizer inside a model file, compared with what was recorded when the file was made.
    package init(modelFile reader: ModelFileReader, vocabulary: Int) throws(TokenizationError) {
        let archive = reader.tokenizer
        var files = TokenizerFiles(
            model: archive["tokenizer.model"], json: archive["tokenizer.json"],
            byteLevel: archive[TokenizerArchive.byteLevelName], configuration: archive["tokenizer_config.json"],
            addedTokens: archive["added_tokens.json"], specialTokensMap: archive["special_tokens_map.json"],
            generationConfiguration: reader.metadata.generationConfig.map { Array($0.utf8) }, vocabularySize: vocabulary)
        files.modelConfiguration = Array(reader.metadata.config.utf8)
        try self.init(files: files)
        let generator = reader.metadata.generator
        try check(reader.metadata.tokenizerProbes, writer: "\(generator.name) \(generator.version)")
    }
}
