import StrictJSON

/// From a tokenizer.json of the kind that Llama-3 has.
extension ByteLevelModel {
    private static let file = TokenizerDescription.file

    /// Whether the file describes a byte-level tokenizer, which this type reads.
    static func describes(_ root: FileObject) throws(TokenizationError) -> Bool {
        for (key, list) in [("pre_tokenizer", "pretokenizers"), ("decoder", "decoders")] {
            for step in try TokenizerDescription.steps(key, list, root) where try TokenizerDescription.type(step) == "ByteLevel" {
                return true
            }
        }
        return false
    }

    init(_ root: FileObject, vocabularySize: Int) throws(TokenizationError) {
        try Self.checkSteps(root)
        guard let model = try root.object("model") else { throw Self.malformed("model", "an object", "nothing") }
        try TokenizerDescription.checkBytePairs(model)
        if try model.bool("byte_fallback") == true {
            throw .unsupported(Self.file, "model.byte_fallback", expected: "false, beside ByteLevel", found: "true")
        }
        added = try Self.addedTokens(root)
        vocabulary = try Self.vocabulary(model, added: added, vocabularySize: vocabularySize)
        // Early files of Llama-3 lack the key, or deny it, though their ids are those of a tokenizer that works so.
        takesWholeWords = try model.bool("ignore_merges") ?? true || vocabulary.count == 128_000
        merges = try Self.merges(model, vocabulary)
        table = MergeTable(merges, tokenCount: vocabulary.count)
        if let (first, second) = table.duplicate {
            throw Self.malformed("model.merges[\(second)]", "a pair of its own", "that of model.merges[\(first)]")
        }
        beginID = try Self.begin(root, added)
        if let fault = merge(with: Self.specials(among: added, below: vocabulary.count)) {
            throw Self.malformed(
                "model.merges[\(fault.rank)]", "tokens that are not special",
                TokenizationError.quoted(vocabulary.bytes(of: fault.id)))
        }
    }

    private static func malformed(_ place: String, _ expected: String, _ found: String) -> TokenizationError {
        .malformed(file, place, expected: expected, found: found)
    }

    // MARK: - Rules around the model

    private static func checkSteps(_ root: FileObject) throws(TokenizationError) {
        if let step = try TokenizerDescription.steps("normalizer", "normalizers", root).first {
            throw unsupported(step, "no normalizer", "the normalizer \(JSONString.quoted(try TokenizerDescription.type(step)))")
        }
        var splits = false, isByteLevel = false
        for step in try TokenizerDescription.steps("pre_tokenizer", "pretokenizers", root) {
            let type = try TokenizerDescription.type(step)
            switch type {
            case "Split" where !splits && !isByteLevel:
                try checkSplit(step)
                splits = true
            case "ByteLevel" where !isByteLevel:
                guard splits, try step.bool("use_regex") == false else {
                    throw unsupported(step, "a Split before a ByteLevel without use_regex", "the split of GPT-2")
                }
                guard try step.bool("add_prefix_space") == false else { throw unsupported(step, "no add_prefix_space", "it") }
                isByteLevel = true
            default: throw unsupported(step, "a Split and a ByteLevel", "the pre-tokenizer \(JSONString.quoted(type))")
            }
        }
        guard isByteLevel else {
            throw .unsupported(file, "pre_tokenizer", expected: "a Split and a ByteLevel", found: splits ? "a Split alone" : "neither")
        }
        let decoders = try TokenizerDescription.steps("decoder", "decoders", root)
        guard decoders.count == 1, try TokenizerDescription.type(decoders[0]) == "ByteLevel" else {
            throw .unsupported(file, "decoder", expected: "ByteLevel", found: root["decoder"]?.summary ?? "nothing")
        }
    }

    private static func checkSplit(_ step: FileObject) throws(TokenizationError) {
        guard let pattern = try step.object("pattern"), let expression = try pattern.text("Regex") else {
            throw unsupported(step, "a pattern with a Regex", step["pattern"]?.summary ?? "nothing")
        }
        guard expression == Array(Llama3Splitter.expression.utf8) || expression == Array(Llama3Splitter.possessive.utf8) else {
            let text = JSONString.quoted(String(decoding: expression, as: UTF8.self))
            throw unsupported(
                step, "the regular expression of Llama-3", text,
                advice: "models whose tokenizer splits text in another way than Llama-3 cannot be used with this version")
        }
        let behavior = try step.text("behavior").map { String(decoding: $0, as: UTF8.self) }
        guard behavior == "Isolated" || behavior == "isolated" else {
            throw unsupported(step, "the behavior 'Isolated'", JSONString.quoted(behavior ?? "nothing"))
        }
        guard try step.bool("invert") ?? false == false else { throw unsupported(step, "a Split that is not inverted", "invert") }
    }

    private static func unsupported(
        _ step: FileObject, _ expected: String, _ found: String, advice: String = "this tokenizer cannot be used with this version"
    ) -> TokenizationError {
        .unsupported(file, step.path, expected: expected, found: found, advice: advice)
    }

    /// The token that the post-processor puts before a text.
    private static func begin(_ root: FileObject, _ added: [AddedToken]) throws(TokenizationError) -> Int32? {
        var begin: Int32?
        for step in try TokenizerDescription.steps("post_processor", "processors", root) {
            let type = try TokenizerDescription.type(step)
            if type == "ByteLevel" { continue }
            guard type == "TemplateProcessing" else {
                throw unsupported(step, "ByteLevel or TemplateProcessing", "the post-processor \(JSONString.quoted(type))")
            }
            var isBefore = true
            for item in try step.objects("single") {
                if item["Sequence"] != nil {
                    isBefore = false
                    continue
                }
                guard isBefore, begin == nil, let token = try item.object("SpecialToken"), let text = try token.text("id") else {
                    throw unsupported(item, "at most one token, before the text", "another arrangement")
                }
                guard let id = added.first(where: { $0.text == text })?.id else {
                    throw malformed(item.place("SpecialToken.id"), "an added token", TokenizationError.quoted(text))
                }
                begin = id
            }
        }
        return begin
    }

    // MARK: - Tokens

    private static func addedTokens(_ root: FileObject) throws(TokenizationError) -> [AddedToken] {
        let entries = try TokenizerSettings.addedTokens(of: root)
        guard entries.count <= largestAddedCount else {
            throw malformed("added_tokens", "at most \(largestAddedCount)", "\(entries.count)")
        }
        var ids: [Int: Int] = [:]
        var texts: [[UInt8]: Int] = [:]
        var tokens: [AddedToken] = []
        for (index, entry) in entries.enumerated() {
            var token = entry.token
            guard let id = Int32(exactly: entry.id) else {
                throw malformed("added_tokens[\(index)].id", "an id below \(Int32.max)", "\(entry.id)")
            }
            token.id = id
            guard !token.text.isEmpty, token.text.count < Vocabulary.maximumPieceLength else {
                throw malformed(
                    "added_tokens[\(index)].content", "1 to \(Vocabulary.maximumPieceLength - 1) bytes", "\(token.text.count) bytes")
            }
            if let earlier = ids.updateValue(index, forKey: entry.id) {
                throw malformed("added_tokens[\(index)].id", "an id of its own", "\(entry.id), which added_tokens[\(earlier)] has")
            }
            if let earlier = texts.updateValue(index, forKey: token.text) {
                throw malformed(
                    "added_tokens[\(index)].content", "a text of its own",
                    "\(TokenizationError.quoted(token.text)), which added_tokens[\(earlier)] has")
            }
            tokens.append(token)
        }
        return tokens.sorted { $0.id < $1.id }
    }

    private static func vocabulary(
        _ model: FileObject, added: [AddedToken], vocabularySize: Int
    ) throws(TokenizationError) -> Vocabulary {
        let pieces = try TokenizerDescription.pieces(of: model, vocabularySize: vocabularySize)
        let addedTexts = Dictionary(uniqueKeysWithValues: added.map { ($0.id, $0.text) })
        var vocabulary = Vocabulary(capacity: pieces.count)
        for (id, piece) in pieces.enumerated() {
            if let piece, let bytes = ByteAlphabet.bytes(of: piece) {
                // The alphabet gives each text bytes of its own, so no token is there already.
                _ = vocabulary.append(bytes, score: 0, kind: .normal)
                continue
            }
            // An added token may be written as it is; text reaches it by cutting alone.
            if let piece, addedTexts[Int32(id)] != piece {
                throw malformed("model.vocab, id \(id)", "characters of the byte alphabet", TokenizationError.quoted(piece))
            }
            vocabulary.appendUnfindable([], score: 0, kind: .control)
        }
        let missing = missingBytes(vocabulary)
        if let first = missing.first {
            throw malformed(
                "model.vocab", "a token for each of 256 bytes", "\(256 - missing.count) of them, none for the byte 0x\(String(first, radix: 16))")
        }
        for token in added where Int(token.id) < vocabulary.count {
            let bytes = vocabulary.bytes(of: token.id)
            if !bytes.isEmpty, !bytes.elementsEqual(token.text) {
                throw malformed(
                    "added_tokens, id \(token.id)", "\(TokenizationError.quoted(bytes)), as in model.vocab",
                    TokenizationError.quoted(token.text))
            }
        }
        return vocabulary
    }

    private static func merges(_ model: FileObject, _ vocabulary: Vocabulary) throws(TokenizationError) -> [MergeTable.Merge] {
        guard let array = try model.array("merges") else { throw malformed("model.merges", "an array", "nothing") }
        guard array.count <= largestMergeCount else {
            throw malformed("model.merges", "at most \(largestMergeCount)", "\(array.count)")
        }
        var merges: [MergeTable.Merge] = []
        merges.reserveCapacity(array.count)
        for (rank, value) in array.enumerated() {
            guard let (joint, leftLength) = TokenizerDescription.parts(value) else {
                throw model.wrong("merges[\(rank)]", "two texts, as \"a b\" or [\"a\", \"b\"]", value)
            }
            let left = ByteAlphabet.bytes(of: Array(joint[..<leftLength])).map { vocabulary.find($0, 0, $0.count) } ?? -1
            let right = ByteAlphabet.bytes(of: Array(joint[leftLength...])).map { vocabulary.find($0, 0, $0.count) } ?? -1
            let result = ByteAlphabet.bytes(of: joint).map { vocabulary.find($0, 0, $0.count) } ?? -1
            guard left >= 0, right >= 0, result >= 0 else {
                throw malformed(
                    "model.merges[\(rank)]", "texts of the vocabulary that join to another one",
                    "\(TokenizationError.quoted(joint[..<leftLength])) and \(TokenizationError.quoted(joint[leftLength...]))")
            }
            merges.append(.init(left: left, right: right, result: result))
        }
        return merges
    }
}
