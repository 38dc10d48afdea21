/// Text to token ids and back, with the vocabulary and the rules of one checkpoint.
package struct Tokenizer: Sendable {
    /// Where the mark for a space is put before text, so that a word at the start reads like one inside.
    package enum PrefixRule: Sendable, Equatable {
        /// Before the text and before each fragment that follows a cut-out token: SentencePiece, llama.cpp, "legacy".
        case everyFragment
        /// The same, unless the fragment begins with a space.
        case everyFragmentWithoutSpace
        /// Only at the very start of the text, unless it begins with a space: "legacy": false, Metaspace "first".
        case firstFragmentWithoutSpace
        case never
    }

    package let vocabulary: Vocabulary
    /// Ids are below this number: the rows of the embedding.
    package let vocabularySize: Int
    package let prefixRule: PrefixRule
    /// The token before a text, if the vocabulary has one.
    package let beginID: Int32?
    /// The tokens that end a text.
    package let endIDs: [Int32]
    /// Whether prompts of this checkpoint begin with `beginID`.
    package let addsBegin: Bool
    package let addedTokens: [AddedToken]
    /// Texts of tokens by the names of their roles, as Hugging Face's files name them.
    package let roleTexts: [String: [UInt8]]
    /// What was read but not followed, for the user.
    package let notes: [String]

    let encoder: TextEncoder
    let cutter: AddedTokenCutter
    let addedByID: [Int32: AddedToken]
    /// What SentencePiece decoding shows for an unknown token.
    let unknownSurface: [UInt8]
    /// Whether decoding drops the space that encoding put before the text.
    let dropsLeadingSpace: Bool

    init(parts: TokenizerParts) {
        vocabulary = parts.encoder.vocabulary
        vocabularySize = parts.vocabularySize
        prefixRule = parts.prefixRule
        beginID = parts.beginID
        endIDs = parts.endIDs
        addsBegin = parts.addsBegin && parts.beginID != nil
        addedTokens = parts.addedTokens
        roleTexts = parts.roleTexts
        notes = parts.notes
        encoder = parts.encoder
        cutter = AddedTokenCutter(parts.addedTokens)
        addedByID = Dictionary(parts.addedTokens.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
        unknownSurface = parts.unknownSurface
        dropsLeadingSpace = parts.dropsLeadingSpace
    }

    /// The token ids of a text. Malformed UTF-8 is read as U+FFFD, one per byte.
    ///
    /// With `parseSpecial`, text that spells a control token becomes that token; use it for templates, never for what
    /// a user wrote. Other added tokens are recognized in both cases.
    ///
    /// Complexity: O(n log n) in the length of the text, whatever the text is.
    package func encode(_ text: some Collection<UInt8>, addBOS: Bool, parseSpecial: Bool) -> [Int32] {
        let text = Array(text)
        return encode(text, [(text.count, isTrusted: parseSpecial)], addBOS: addBOS)
    }

    func encode(_ text: [UInt8], _ spans: [(end: Int, isTrusted: Bool)], addBOS: Bool) -> [Int32] {
        var ids: [Int32] = []
        if addBOS, let beginID { ids.append(beginID) }
        for fragment in cutter.cut(text, spans) {
            switch fragment {
            case .token(let id): ids.append(id)
            case .text(let range):
                switch encoder {
                case .sentencePiece(let encoder): encoder.encode(normalized(text, range), into: &ids)
                case .byteLevel(let encoder): encoder.encode(UTF8Scanning.repaired(text, range), into: &ids)
                }
            }
        }
        return ids
    }

    package func encode(_ text: String, addBOS: Bool, parseSpecial: Bool) -> [Int32] {
        encode(text.utf8, addBOS: addBOS, parseSpecial: parseSpecial)
    }

    /// The id of a control token by its exact text.
    package func controlID(of text: String) -> Int32? {
        let text = Array(text.utf8)
        return addedTokens.first { $0.isSpecial && $0.text == text }?.id
    }

    /// The text of a token by the name of its role: `bos_token`, `eos_token`, `unk_token`, `pad_token` and so on, as the
    /// checkpoint's files give it. Templates use these names.
    package func text(ofRole role: String) -> String? {
        roleTexts[role].map { String(decoding: $0, as: UTF8.self) }
    }

    /// The id of a token, added or not, by its exact text.
    package func id(of text: some Collection<UInt8>) -> Int32? {
        let text = Array(text)
        return addedTokens.first { $0.text == text }?.id ?? vocabulary.id(of: text)
    }

    private func normalized(_ text: [UInt8], _ range: Range<Int>) -> [UInt8] {
        let mark = UTF8Scanning.spaceMark
        let startsWithSpace = text[range.lowerBound] == 0x20
            || (range.count >= mark.count && UTF8Scanning.hasPrefix(text, mark, at: range.lowerBound))
        let prefixed = switch prefixRule {
        case .everyFragment: true
        case .everyFragmentWithoutSpace: !startsWithSpace
        case .firstFragmentWithoutSpace: range.lowerBound == 0 && !startsWithSpace
        case .never: false
        }
        var result: [UInt8] = []
        result.reserveCapacity(range.count + range.count / 2 + mark.count)
        if prefixed { result += mark }
        // A character must not reach into the token that follows the fragment.
        let fragment = range == text.indices ? text : Array(text[range])
        var position = 0
        while position < fragment.count {
            let byte = fragment[position]
            if byte == 0x20 {
                result += mark
                position += 1
            } else if byte < 0x80 {
                result.append(byte)
                position += 1
            } else {
                let length = UTF8Scanning.characterLength(fragment, at: position)
                if length == 0 { result += UTF8Scanning.replacement } else { result += fragment[position ..< position + length] }
                position += max(length, 1)
            }
        }
        return result
    }
}

/// The two families of tokenizers.
enum TextEncoder: Sendable {
    /// LLaMA-2: pieces of text in which spaces are marks, and bytes where no piece fits.
    case sentencePiece(BytePairEncoder)
    /// Llama-3: words of bytes.
    case byteLevel(ByteLevelEncoder)

    var vocabulary: Vocabulary {
        switch self {
        case .sentencePiece(let encoder): encoder.vocabulary
        case .byteLevel(let encoder): encoder.vocabulary
        }
    }

    var isByteLevel: Bool {
        if case .byteLevel = self { true } else { false }
    }
}

/// What loading finds out, before it becomes a tokenizer.
struct TokenizerParts {
    var encoder: TextEncoder
    var vocabularySize: Int
    var prefixRule: Tokenizer.PrefixRule
    var dropsLeadingSpace: Bool
    var unknownSurface: [UInt8] = Array(" \u{2047} ".utf8)
    var beginID: Int32?
    var endIDs: [Int32] = []
    var addsBegin = true
    var addedTokens: [AddedToken] = []
    var roleTexts: [String: [UInt8]] = [:]
    var notes: [String] = []
}
