import SentencePieceModels

extension Tokenizer {
    /// Builds the tokenizer of a checkpoint, from tokenizer.model where there is one, else from tokenizer.json.
    package init(files: TokenizerFiles) throws(TokenizationError) {
        let settings = try TokenizerSettings(files)
        var parts: TokenizerParts
        if let bytes = files.model {
            parts = try Self.parts(model: bytes, files, settings)
        } else if let bytes = files.byteLevel {
            parts = try Self.parts(ByteLevelModel(decoding: bytes), files, settings)
        } else if let bytes = files.json {
            let root = try FileObject(reading: bytes, TokenizerDescription.file)
            if try ByteLevelModel.describes(root) {
                parts = try Self.parts(ByteLevelModel(root, vocabularySize: files.vocabularySize), files, settings)
            } else {
                parts = try Self.parts(TokenizerDescription(root, vocabularySize: files.vocabularySize), files, settings)
            }
            for key in ["truncation", "padding"] where root[key] != nil {
                parts.notes.append("\(TokenizerDescription.file): '\(key)' is not followed; texts are neither cut nor filled up")
            }
        } else {
            throw TokenizationError(
                code: .missing, file: "the checkpoint", place: "tokenizer", expected: "tokenizer.model or tokenizer.json",
                found: "neither", advice: "put the model's tokenizer files beside its weights")
        }
        parts.apply(settings)
        self.init(parts: parts)
    }

    private static func parts(
        _ description: TokenizerDescription, _ files: TokenizerFiles, _ settings: TokenizerSettings
    ) throws(TokenizationError) -> TokenizerParts {
        var parts = TokenizerParts(
            encoder: .sentencePiece(description.encoder), vocabularySize: files.vocabularySize, prefixRule: description.prefixRule,
            dropsLeadingSpace: description.dropsLeadingSpace)
        var chosen = AddedTokenChoice(limit: files.vocabularySize)
        chosen.add(description.added)
        chosen.add(settings.added)
        try chosen.check(against: description.encoder.vocabulary)
        parts.take(chosen)
        return parts
    }

    private static func parts(
        model bytes: [UInt8], _ files: TokenizerFiles, _ settings: TokenizerSettings
    ) throws(TokenizationError) -> TokenizerParts {
        let file = Vocabulary.modelFile
        if bytes.isEmpty { throw .malformed(file, "the whole file", expected: "a SentencePiece model", found: "an empty file") }
        let model: SentencePieceModel
        do {
            model = try SentencePieceModel(parsing: bytes)
        } catch {
            throw .malformed(file, "the whole file", expected: "a SentencePiece model", found: error.reason)
        }
        if model.pieces.count > files.vocabularySize {
            throw TokenizationError(
                code: .inconsistent, file: file, place: "pieces",
                expected: "at most \(files.vocabularySize), config.json's vocab_size", found: "\(model.pieces.count)",
                advice: "use the tokenizer that belongs to this model")
        }
        var chosen = AddedTokenChoice(limit: files.vocabularySize)
        // tokenizer.json repeats what the model says, except for tokens beyond the model's pieces.
        if settings.added.isEmpty, model.pieces.count < files.vocabularySize, let json = files.json {
            let root = try FileObject(reading: json, TokenizerDescription.file)
            chosen.add(try TokenizerSettings.addedTokens(of: root))
        }
        chosen.add(settings.added)
        var replaced: Set<Int> = []
        var notes: [String] = []
        for token in chosen.tokens.values.sorted(by: { $0.id < $1.id }) where Int(token.id) < model.pieces.count {
            let piece = model.pieces[Int(token.id)]
            if piece.text.utf8.elementsEqual(token.text) { continue }
            let other = chosen.files[token.id] ?? file
            if piece.kind == PieceKind.byte.rawValue || piece.kind == PieceKind.unknown.rawValue {
                throw conflict(other, token, with: Array(piece.text.utf8)[...], of: file)
            }
            replaced.insert(Int(token.id))
            notes.append(
                "\(other): token \(token.id) \(TokenizationError.quoted(token.text)) takes the place of "
                    + "\(TokenizationError.quoted(piece.text.utf8)) of \(file)")
        }
        let vocabulary = try Vocabulary(model, replaced: replaced)
        let addsPrefix = model.normalization.addsDummyPrefix
        var parts = TokenizerParts(
            encoder: .sentencePiece(BytePairEncoder(scored: vocabulary)), vocabularySize: files.vocabularySize,
            prefixRule: !addsPrefix ? .never : settings.legacy == false ? .firstFragmentWithoutSpace : .everyFragment,
            dropsLeadingSpace: addsPrefix)
        parts.unknownSurface = Array(model.unknownSurface.utf8)
        parts.beginID = control(model.beginID, vocabulary)
        parts.endIDs = control(model.endID, vocabulary).map { [$0] } ?? []
        parts.notes = notes
        parts.take(chosen)
        return parts
    }

    private static func control(_ id: Int32, _ vocabulary: Vocabulary) -> Int32? {
        id >= 0 && Int(id) < vocabulary.count && vocabulary.kinds[Int(id)] == .control ? id : nil
    }

    static func conflict(
        _ file: String, _ token: AddedToken, with piece: ArraySlice<UInt8>, of other: String
    ) -> TokenizationError {
        TokenizationError(
            code: .inconsistent, file: file, place: "token \(token.id)",
            expected: "\(TokenizationError.quoted(piece)), as in \(other)", found: TokenizationError.quoted(token.text),
            advice: "remove the entry, or use the tokenizer files that belong together")
    }
}

/// Added tokens by id, gathered from several files; the file read last wins.
struct AddedTokenChoice {
    let limit: Int
    private(set) var tokens: [Int32: AddedToken] = [:]
    private(set) var files: [Int32: String] = [:]
    private(set) var notes: [String] = []

    init(limit: Int) {
        self.limit = min(limit, Int(Int32.max))
    }

    mutating func add(_ entries: [TokenizerSettings.AddedEntry]) {
        var dropped = 0
        for entry in entries {
            if entry.token.text.isEmpty { continue }
            guard entry.id < limit else {
                dropped += 1
                if dropped <= 5 {
                    notes.append(
                        "\(entry.file): token \(TokenizationError.quoted(entry.token.text)) has id \(entry.id), but the model "
                            + "has \(limit) rows; the token is not used")
                }
                continue
            }
            var token = entry.token
            token.id = Int32(entry.id)
            if let earlier = tokens[token.id], earlier.text != token.text, notes.count < 20 {
                notes.append(
                    "\(entry.file): token \(token.id) is \(TokenizationError.quoted(token.text)), not "
                        + "\(TokenizationError.quoted(earlier.text)) as \(files[token.id] ?? "") has it")
            }
            tokens[token.id] = token
            files[token.id] = entry.file
        }
        if dropped > 5 { notes.append("\(dropped - 5) more added tokens are not used for the same reason") }
    }

    /// A token cannot take the id of another one of tokenizer.json.
    func check(against vocabulary: Vocabulary) throws(TokenizationError) {
        let replaced = tokens.values.sorted { $0.id < $1.id }.first { token in
            Int(token.id) < vocabulary.count && !vocabulary.bytes(of: token.id).isEmpty
                && !vocabulary.bytes(of: token.id).elementsEqual(token.text)
        }
        if let replaced {
            throw Tokenizer.conflict(
                files[replaced.id] ?? TokenizerDescription.file, replaced, with: vocabulary.bytes(of: replaced.id),
                of: TokenizerDescription.file)
        }
    }
}

extension TokenizerParts {
    /// Adds the chosen tokens and the vocabulary's own control tokens.
    mutating func take(_ choice: AddedTokenChoice) {
        notes += choice.notes
        var tokens = choice.tokens
        let vocabulary = encoder.vocabulary
        for id in 0 ..< Int32(vocabulary.count) {
            let kind = vocabulary.kinds[Int(id)]
            switch kind {
            case .control, .unknown:
                let text = Array(vocabulary.bytes(of: id))
                if tokens[id] == nil { tokens[id] = AddedToken(id: id, text: text, isSpecial: true) }
                if tokens[id]?.text == text { tokens[id]?.isSpecial = true }
            case .byte: tokens[id] = nil
            case .normal, .userDefined, .unused: break
            }
        }
        addedTokens = tokens.values.filter { !$0.text.isEmpty }.sorted { $0.id < $1.id }
    }

    /// Finds the tokens that begin and end a text.
    mutating func apply(_ settings: TokenizerSettings) {
        let byText = Dictionary(addedTokens.map { ($0.text, $0.id) }, uniquingKeysWith: { first, _ in first })
        func id(_ text: [UInt8]) -> Int32? { byText[text] ?? encoder.vocabulary.id(of: text) }
        addsBegin = settings.addsBegin ?? true
        if let text = settings.beginText {
            if let found = id(text) { beginID = found } else { note("bos_token", text) }
        }
        if beginID == nil, let value = settings.beginID { beginID = valid(value, "bos_token_id") }
        if beginID == nil { beginID = byText[Array("<s>".utf8)] }

        var ends: [Int32] = []
        if let text = settings.endText {
            if let found = id(text) { ends.append(found) } else { note("eos_token", text) }
        }
        if let text = settings.mapEndText, let found = id(text), !ends.contains(found) { ends.append(found) }
        for value in settings.endIDs {
            if let found = valid(value, "eos_token_id"), !ends.contains(found) { ends.append(found) }
        }
        for id in knownEnds where !ends.contains(id) { ends.append(id) }
        if !ends.isEmpty { endIDs = ends }
        if endIDs.isEmpty, let found = byText[Array("</s>".utf8)] { endIDs = [found] }

        roleTexts = settings.roleTexts
        let vocabulary = encoder.vocabulary
        let unknown = vocabulary.unknownID < 0 ? nil : vocabulary.unknownID
        for (role, id) in [("bos_token", beginID), ("eos_token", endIDs.first), ("unk_token", unknown)] where roleTexts[role] == nil {
            guard let id else { continue }
            roleTexts[role] = addedTokens.first { $0.id == id }?.text
                ?? (Int(id) < vocabulary.count ? Array(vocabulary.bytes(of: id)) : nil)
        }
    }

    private mutating func note(_ role: String, _ text: [UInt8]) {
        notes.append("\(role) \(TokenizationError.quoted(text)) is not a token of the vocabulary and is not used")
    }

    private mutating func valid(_ id: Int, _ role: String) -> Int32? {
        if id >= 0, id < vocabularySize, let id = Int32(exactly: id) { return id }
        notes.append("\(role) \(id) of config.json or generation_config.json is not below the vocabulary size \(vocabularySize); it is not used")
        return nil
    }
}
