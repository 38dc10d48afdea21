import StrictJSON

/// A tokenizer.json of the kind that LLaMA-2 has: byte-pair encoding with byte fallback, spaces written as U+2581.
struct TokenizerDescription {
    static let file = "tokenizer.json"

    var added: [TokenizerSettings.AddedEntry]
    var prefixRule: Tokenizer.PrefixRule
    var dropsLeadingSpace: Bool
    var encoder: BytePairEncoder

    init(_ root: FileObject, vocabularySize: Int) throws(TokenizationError) {
        added = try TokenizerSettings.addedTokens(of: root)
        prefixRule = try Self.prefixRule(root)
        dropsLeadingSpace = try Self.dropsLeadingSpace(root)
        guard let model = try root.object("model") else {
            throw .malformed(Self.file, "model", expected: "an object", found: "nothing")
        }
        try Self.checkModel(model)
        let vocabulary = try Self.vocabulary(model, added: added, vocabularySize: vocabularySize)
        let merges = try Self.merges(model, vocabulary)
        encoder = BytePairEncoder(
            vocabulary, order: .ranks(merges), takesWholePieces: try model.bool("ignore_merges") ?? false)
    }

    // MARK: - Rules around the model

    static func steps(_ key: String, _ list: String, _ root: FileObject) throws(TokenizationError) -> [FileObject] {
        guard let object = try root.object(key) else { return [] }
        return try object.text("type") == Array("Sequence".utf8) ? try object.objects(list) : [object]
    }

    static func type(_ step: FileObject) throws(TokenizationError) -> String {
        guard let type = try step.text("type") else {
            throw .malformed(file, step.place("type"), expected: "a string", found: "nothing")
        }
        return String(decoding: type, as: UTF8.self)
    }

    /// Three forms: spaces replaced by the normalizer, with or without a prefix, or by a Metaspace pre-tokenizer.
    private static func prefixRule(_ root: FileObject) throws(TokenizationError) -> Tokenizer.PrefixRule {
        let mark = UTF8Scanning.spaceMark
        var prepends = false, replaces = false
        for step in try steps("normalizer", "normalizers", root) {
            let type = try type(step)
            switch type {
            case "Prepend" where !prepends && !replaces:
                guard try step.text("prepend") == mark else { throw unsupported(step, "Prepend of another text than U+2581") }
                prepends = true
            case "Replace" where !replaces:
                guard let pattern = try step.object("pattern"), try pattern.text("String") == [0x20],
                      try step.text("content") == mark
                else { throw unsupported(step, "Replace of something else than a space by U+2581") }
                replaces = true
            default: throw unsupported(step, "the normalizer \(JSONString.quoted(type))")
            }
        }
        let preTokenizers = try steps("pre_tokenizer", "pretokenizers", root)
        if replaces {
            if let step = preTokenizers.first { throw unsupported(step, "a pre-tokenizer beside the normalizer") }
            return prepends ? .everyFragment : .never
        }
        guard !prepends, preTokenizers.count == 1 else {
            throw .unsupported(
                file, "normalizer, pre_tokenizer", expected: "a rule that writes spaces as U+2581", found: "none")
        }
        return try metaspaceRule(preTokenizers[0])
    }

    private static func metaspaceRule(_ step: FileObject) throws(TokenizationError) -> Tokenizer.PrefixRule {
        let type = try type(step)
        guard type == "Metaspace" else { throw unsupported(step, "the pre-tokenizer \(JSONString.quoted(type))") }
        guard try step.text("replacement") == UTF8Scanning.spaceMark else {
            throw unsupported(step, "Metaspace with another character than U+2581")
        }
        // The format's default is to split.
        guard try step.bool("split") == false else { throw unsupported(step, "Metaspace with 'split'") }
        let scheme = try step.text("prepend_scheme").map { String(decoding: $0, as: UTF8.self) }
        switch scheme {
        case "first": return .firstFragmentWithoutSpace
        case "always": return .everyFragmentWithoutSpace
        case "never": return .never
        case nil: return try step.bool("add_prefix_space") == false ? .never : .everyFragmentWithoutSpace
        case .some(let other): throw unsupported(step, "the prepend_scheme \(JSONString.quoted(other))")
        }
    }

    private static func dropsLeadingSpace(_ root: FileObject) throws(TokenizationError) -> Bool {
        var drops = false
        for step in try steps("decoder", "decoders", root) {
            let type = try type(step)
            switch type {
            case "Replace", "ByteFallback", "Fuse": break
            case "Strip":
                guard try step.text("content") == [0x20], step["start"]?.int == 1, step["stop"]?.int ?? 0 == 0 else {
                    throw unsupported(step, "Strip of something else than one leading space")
                }
                drops = true
            default: throw unsupported(step, "the decoder \(JSONString.quoted(type))")
            }
        }
        return drops
    }

    private static func unsupported(_ step: FileObject, _ found: String) -> TokenizationError {
        .unsupported(file, step.path, expected: "the form that LLaMA-2 tokenizers have", found: found)
    }

    // MARK: - Model

    private static func checkModel(_ model: FileObject) throws(TokenizationError) {
        try checkBytePairs(model)
        guard try model.bool("byte_fallback") == true else {
            throw .unsupported(
                file, "model.byte_fallback", expected: "true", found: model["byte_fallback"]?.summary ?? "nothing")
        }
    }

    /// What both families of byte-pair models have in common.
    static func checkBytePairs(_ model: FileObject) throws(TokenizationError) {
        if let type = try model.text("type"), type != Array("BPE".utf8) {
            throw .unsupported(file, "model.type", expected: "'BPE'", found: TokenizationError.quoted(type))
        }
        for key in ["continuing_subword_prefix", "end_of_word_suffix"] {
            if let text = try model.text(key), !text.isEmpty {
                throw .unsupported(file, "model.\(key)", expected: "null", found: TokenizationError.quoted(text))
            }
        }
        if let dropout = model["dropout"], dropout.double != 0 {
            throw .unsupported(file, "model.dropout", expected: "null", found: dropout.summary)
        }
    }

    private static func vocabulary(
        _ model: FileObject, added: [TokenizerSettings.AddedEntry], vocabularySize: Int
    ) throws(TokenizationError) -> Vocabulary {
        let pieces = try pieces(of: model, vocabularySize: vocabularySize)
        return try checked(pieces, unknown: model.text("unk_token"), added: added)
    }

    /// The texts of `model.vocab` by id; nil for an id that no text has.
    static func pieces(of model: FileObject, vocabularySize: Int) throws(TokenizationError) -> [[UInt8]?] {
        guard let object = try model.object("vocab") else {
            throw .malformed(file, "model.vocab", expected: "an object", found: "nothing")
        }
        let limit = min(vocabularySize, Vocabulary.maximumCount)
        var pieces: [[UInt8]?] = []
        for member in object.members.members {
            guard let id = member.value.int, id >= 0 else { throw object.wrong(member.key.quoted, "a token id", member.value) }
            guard id < limit else {
                throw TokenizationError(
                    code: .inconsistent, file: file, place: "model.vocab.\(member.key.quoted)",
                    expected: "an id below config.json's vocab_size \(vocabularySize)", found: "\(id)",
                    advice: "use the tokenizer that belongs to this model")
            }
            while pieces.count <= id { pieces.append(nil) }
            if let other = pieces[id] {
                throw .malformed(
                    file, "model.vocab.\(member.key.quoted)", expected: "an id of its own",
                    found: "\(id), which is also the id of \(TokenizationError.quoted(other))")
            }
            guard !member.key.isEmpty, member.key.bytes.count < Vocabulary.maximumPieceLength else {
                throw .malformed(
                    file, "model.vocab, id \(id)", expected: "a text of 1 to \(Vocabulary.maximumPieceLength - 1) bytes",
                    found: "\(member.key.bytes.count) bytes")
            }
            pieces[id] = member.key.bytes
        }
        return pieces
    }

    private static func checked(
        _ pieces: [[UInt8]?], unknown: [UInt8]?, added: [TokenizerSettings.AddedEntry]
    ) throws(TokenizationError) -> Vocabulary {
        var special: [Int: [UInt8]] = [:]
        for entry in added where entry.token.isSpecial { special[entry.id] = entry.token.text }
        var vocabulary = Vocabulary(capacity: pieces.count)
        for (id, piece) in pieces.enumerated() {
            guard let piece else {
                vocabulary.appendUnfindable([], score: 0, kind: .control)
                continue
            }
            let kind: PieceKind = if piece == unknown { .unknown }
                else if Vocabulary.byteValue(of: piece[...]) != nil { .byte }
                else if special[id] == piece { .control } else { .normal }
            // Keys of a JSON object are distinct, so no piece is there already.
            _ = vocabulary.append(piece, score: 0, kind: kind)
        }
        if let unknown, vocabulary.unknownID < 0 {
            throw .malformed(
                file, "model.unk_token", expected: "a token of the vocabulary", found: TokenizationError.quoted(unknown))
        }
        guard vocabulary.hasAllBytes else {
            throw .malformed(
                file, "model.vocab", expected: "<0x00> to <0xFF>, because byte_fallback is set",
                found: "\(256 - vocabulary.byteIDs.count { $0 < 0 }) of them")
        }
        return vocabulary
    }

    /// (left id, right id) to (rank, id of the joint piece). Each merge is "a b" or ["a", "b"].
    private static func merges(_ model: FileObject, _ vocabulary: Vocabulary) throws(TokenizationError) -> PairTable {
        guard let merges = try model.array("merges") else {
            throw .malformed(file, "model.merges", expected: "an array", found: "nothing")
        }
        guard merges.count <= Int(Int32.max) else {
            throw .malformed(file, "model.merges", expected: "at most \(Int32.max)", found: "\(merges.count)")
        }
        var table = PairTable(expecting: merges.count)
        for (rank, merge) in merges.enumerated() {
            guard let (joint, leftLength) = parts(merge) else {
                throw model.wrong("merges[\(rank)]", "two texts, as \"a b\" or [\"a\", \"b\"]", merge)
            }
            let left = vocabulary.find(joint, 0, leftLength)
            let right = vocabulary.find(joint, leftLength, joint.count)
            let result = vocabulary.find(joint, 0, joint.count)
            guard left >= 0, right >= 0, result >= 0 else {
                throw .malformed(
                    file, "model.merges[\(rank)]", expected: "texts of the vocabulary that join to another one",
                    found: "\(TokenizationError.quoted(joint[..<leftLength])) and \(TokenizationError.quoted(joint[leftLength...]))")
            }
            table.insert(PairTable.key(left, right), .init(first: Int32(rank), second: result))
        }
        return table
    }

    /// Both texts joined, and the length of the first.
    static func parts(_ merge: JSONValue) -> ([UInt8], Int)? {
        if let text = merge.jsonString {
            guard let space = text.bytes.firstIndex(of: 0x20), text.bytes.lastIndex(of: 0x20) == space else { return nil }
            return (Array(text.bytes[..<space] + text.bytes[(space + 1)...]), space)
        }
        guard let pair = merge.array, pair.count == 2, let left = pair[0].jsonString, let right = pair[1].jsonString
        else { return nil }
        return (left.bytes + right.bytes, left.bytes.count)
    }
}
