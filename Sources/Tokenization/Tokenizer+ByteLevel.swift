extension Tokenizer {
    static func parts(
        _ model: ByteLevelModel, _ files: TokenizerFiles, _ settings: TokenizerSettings
    ) throws(TokenizationError) -> TokenizerParts {
        let vocabulary = model.vocabulary
        guard vocabulary.count <= files.vocabularySize else {
            throw TokenizationError(
                code: .inconsistent, file: ByteLevelModel.compactFile, place: "token_count",
                expected: "at most \(files.vocabularySize), config.json's vocab_size", found: "\(vocabulary.count)",
                advice: "use the tokenizer that belongs to this model")
        }
        var chosen = AddedTokenChoice(limit: files.vocabularySize)
        chosen.add(model.added.map { .init(file: TokenizerDescription.file, id: Int($0.id), token: $0) })
        chosen.add(settings.added)
        try chosen.check(against: vocabulary)
        let specials = ByteLevelModel.specials(among: chosen.tokens.values, below: vocabulary.count)
        if let fault = model.merge(with: specials) {
            throw TokenizationError(
                code: .inconsistent, file: chosen.files[fault.id] ?? TokenizerDescription.file, place: "token \(fault.id)",
                expected: "a token that no merge of \(TokenizerDescription.file) uses, because it is special",
                found: TokenizationError.quoted(vocabulary.bytes(of: fault.id)), advice: "use the tokenizer files that belong together")
        }
        var parts = TokenizerParts(
            encoder: .byteLevel(ByteLevelEncoder(model, specials: specials)), vocabularySize: files.vocabularySize, prefixRule: .never,
            dropsLeadingSpace: false)
        parts.take(chosen)
        if let begin = model.beginID, Int(begin) < files.vocabularySize { parts.beginID = begin }
        return parts
    }

    /// The form of a byte-level tokenizer.json that a model file keeps (`byte_level.vocabulary`); nil for other tokenizers.
    package static func byteLevelVocabulary(fromJSON bytes: [UInt8], vocabularySize: Int) throws(TokenizationError) -> [UInt8]? {
        let root = try FileObject(reading: bytes, TokenizerDescription.file)
        guard try ByteLevelModel.describes(root) else { return nil }
        return try ByteLevelModel(root, vocabularySize: vocabularySize).encoded()
    }
}

extension TokenizerParts {
    /// Texts of tokens that end an answer, whatever a checkpoint's settings name: its training may have used any of them.
    private static let endTexts = [
        "<|eot_id|>", "<|end_of_text|>", "<|eom_id|>", "<|im_end|>", "<|end|>", "<|endoftext|>", "<end_of_turn>", "<EOT>", "</s>",
    ]

    /// The ids of control tokens that end an answer by their text.
    var knownEnds: [Int32] {
        guard encoder.isByteLevel else { return [] }
        return addedTokens.filter { token in token.isSpecial && Self.endTexts.contains { token.text.elementsEqual($0.utf8) } }.map(\.id)
    }
}
