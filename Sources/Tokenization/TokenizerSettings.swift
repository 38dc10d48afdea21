import StrictJSON

/// What the small files beside a tokenizer say.
struct TokenizerSettings {
    var legacy: Bool?
    var addsBegin: Bool?
    /// Texts of tokens by role.
    var roleTexts: [String: [UInt8]] = [:]
    var beginText: [UInt8]? { roleTexts["bos_token"] }
    var endText: [UInt8]? { roleTexts["eos_token"] }
    /// special_tokens_map.json's, where tokenizer_config.json has another: both end a text. Med42-v2 is such a model.
    var mapEndText: [UInt8]?
    var beginID: Int?
    var endIDs: [Int] = []
    var added: [AddedEntry] = []

    struct AddedEntry {
        var file: String
        var id: Int
        var token: AddedToken
    }

    init(_ files: TokenizerFiles) throws(TokenizationError) {
        if let bytes = files.addedTokens { try readAddedTokens(FileObject(reading: bytes, "added_tokens.json")) }
        if let bytes = files.specialTokensMap {
            let map = try FileObject(reading: bytes, "special_tokens_map.json")
            try readRoles(map)
            mapEndText = endText
        }
        if let bytes = files.configuration { try readConfiguration(FileObject(reading: bytes, "tokenizer_config.json")) }
        if let bytes = files.generationConfiguration {
            let generation = try FileObject(reading: bytes, "generation_config.json")
            beginID = try Self.ids("bos_token_id", generation).first
            endIDs = try Self.ids("eos_token_id", generation)
        }
        if let bytes = files.modelConfiguration {
            let model = try FileObject(reading: bytes, "config.json")
            // Some exports write -1 for "none".
            if beginID == nil { beginID = try Self.ids("bos_token_id", model).first { $0 >= 0 } }
            endIDs += try Self.ids("eos_token_id", model).filter { $0 >= 0 }
        }
    }

    private mutating func readConfiguration(_ file: FileObject) throws(TokenizationError) {
        legacy = try file.bool("legacy")
        addsBegin = try file.bool("add_bos_token")
        try readRoles(file)
        guard let decoder = try file.object("added_tokens_decoder") else { return }
        for member in decoder.members.members {
            guard let id = Int(member.key.string), id >= 0 else {
                throw .malformed(file.file, decoder.path, expected: "token ids as keys", found: member.key.quoted)
            }
            guard let members = member.value.object else { throw decoder.wrong(member.key.string, "an object", member.value) }
            added.append(try Self.addedEntry(FileObject(file.file, decoder.place(member.key.string), members), id: id))
        }
    }

    /// {"text": id}
    private mutating func readAddedTokens(_ file: FileObject) throws(TokenizationError) {
        for member in file.members.members {
            guard let id = member.value.int, id >= 0 else {
                throw .malformed(file.file, member.key.quoted, expected: "a token id", found: member.value.summary)
            }
            added.append(AddedEntry(
                file: file.file, id: id,
                token: AddedToken(id: 0, text: member.key.bytes, isSpecial: Self.looksSpecial(member.key.bytes))))
        }
    }

    /// The added tokens of a tokenizer.json.
    static func addedTokens(of file: FileObject) throws(TokenizationError) -> [AddedEntry] {
        var entries: [AddedEntry] = []
        for object in try file.objects("added_tokens") {
            guard let id = object["id"]?.int, id >= 0 else {
                throw object.wrong("id", "a token id", object["id"] ?? .null)
            }
            entries.append(try addedEntry(object, id: id))
        }
        return entries
    }

    private static func addedEntry(_ object: FileObject, id: Int) throws(TokenizationError) -> AddedEntry {
        guard let text = try object.text("content") else {
            throw .malformed(object.file, object.place("content"), expected: "the token's text", found: "nothing")
        }
        var token = AddedToken(id: 0, text: text, isSpecial: try object.bool("special") ?? false)
        token.isSpecial = token.isSpecial || looksSpecial(text)
        token.takesSpaceBefore = try object.bool("lstrip") ?? false
        token.takesSpaceAfter = try object.bool("rstrip") ?? false
        token.standsAlone = try object.bool("single_word") ?? false
        return AddedEntry(file: object.file, id: id, token: token)
    }

    /// Control tokens of chat formats are often not marked as such.
    private static func looksSpecial(_ text: [UInt8]) -> Bool {
        text.count > 4 && text.starts(with: "<|".utf8) && text.suffix(2).elementsEqual("|>".utf8)
    }

    private static let roles = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"]

    private mutating func readRoles(_ file: FileObject) throws(TokenizationError) {
        for role in Self.roles {
            if let text = try Self.tokenText(role, file) { roleTexts[role] = text }
        }
    }

    /// A role's value: the token's text, or an object with it.
    private static func tokenText(_ key: String, _ file: FileObject) throws(TokenizationError) -> [UInt8]? {
        if let value = file[key], value.object != nil { return try file.object(key)?.text("content") }
        return try file.text(key)
    }

    private static func ids(_ key: String, _ file: FileObject) throws(TokenizationError) -> [Int] {
        guard let value = file[key] else { return [] }
        if let id = value.int { return [id] }
        var ids: [Int] = []
        for element in value.array ?? [value] {
            guard let id = element.int else { throw file.wrong(key, "a token id or a list of them", value) }
            ids.append(id)
        }
        return ids
    }
}
