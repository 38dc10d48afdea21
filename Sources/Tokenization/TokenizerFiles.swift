import StrictJSON

/// The contents of a checkpoint's tokenizer files; nil for a file that is not there.
package struct TokenizerFiles: Sendable {
    /// tokenizer.model; preferred.
    package var model: [UInt8]?
    /// tokenizer.json; used when there is no tokenizer.model.
    package var json: [UInt8]?
    /// byte_level.vocabulary, from a model file: what it was made from, tokenizer.json, is then not needed.
    package var byteLevel: [UInt8]?
    /// tokenizer_config.json
    package var configuration: [UInt8]?
    /// added_tokens.json
    package var addedTokens: [UInt8]?
    /// special_tokens_map.json
    package var specialTokensMap: [UInt8]?
    /// generation_config.json
    package var generationConfiguration: [UInt8]?
    /// config.json, of which the begin and end tokens count.
    package var modelConfiguration: [UInt8]?
    /// config.json's vocab_size: the number of rows of the embedding.
    package var vocabularySize: Int

    package init(
        model: [UInt8]? = nil, json: [UInt8]? = nil, byteLevel: [UInt8]? = nil, configuration: [UInt8]? = nil, addedTokens: [UInt8]? = nil,
        specialTokensMap: [UInt8]? = nil, generationConfiguration: [UInt8]? = nil, vocabularySize: Int
    ) {
        self.model = model.flatMap { Self.isRankList($0) && json != nil ? nil : $0 }
        self.json = json
        self.byteLevel = byteLevel
        self.configuration = configuration
        self.addedTokens = addedTokens
        self.specialTokensMap = specialTokensMap
        self.generationConfiguration = generationConfiguration
        self.vocabularySize = vocabularySize
    }
}

extension TokenizerFiles {
    /// Whether a tokenizer.model is Llama-3's list of tokens in base 64, which says the same as the tokenizer.json beside it.
    package static func isRankList(_ model: [UInt8]) -> Bool { model.starts(with: "IQ== 0\n".utf8) }
}

/// A JSON object of a tokenizer file, with the names for error messages.
struct FileObject {
    var file: String
    /// Path of the object inside the file, "" for the file itself.
    var path = ""
    var members: JSONObject

    init(reading bytes: [UInt8], _ file: String) throws(TokenizationError) {
        let value: JSONValue
        do {
            value = try JSONReader.read(bytes)
        } catch {
            if bytes.isEmpty { throw .malformed(file, "the whole file", expected: "JSON", found: "an empty file") }
            throw .malformed(file, "byte \(error.offset)", expected: "JSON", found: "something else (\(error.message))")
        }
        guard let members = value.object else {
            throw .malformed(file, "the whole file", expected: "a JSON object", found: value.summary)
        }
        self.init(file, "", members)
    }

    init(_ file: String, _ path: String, _ members: JSONObject) {
        self.file = file
        self.path = path
        self.members = members
    }

    func place(_ key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }

    /// A member that is there and not null.
    subscript(_ key: String) -> JSONValue? {
        guard let value = members[key], !value.isNull else { return nil }
        return value
    }

    func bool(_ key: String) throws(TokenizationError) -> Bool? {
        guard let value = self[key] else { return nil }
        guard let bool = value.bool else { throw wrong(key, "true or false", value) }
        return bool
    }

    func text(_ key: String) throws(TokenizationError) -> [UInt8]? {
        guard let value = self[key] else { return nil }
        guard let text = value.jsonString else { throw wrong(key, "a string", value) }
        return text.bytes
    }

    func object(_ key: String) throws(TokenizationError) -> FileObject? {
        guard let value = self[key] else { return nil }
        guard let members = value.object else { throw wrong(key, "an object", value) }
        return FileObject(file, place(key), members)
    }

    func array(_ key: String) throws(TokenizationError) -> [JSONValue]? {
        guard let value = self[key] else { return nil }
        guard let values = value.array else { throw wrong(key, "an array", value) }
        return values
    }

    /// The elements of an array of objects.
    func objects(_ key: String) throws(TokenizationError) -> [FileObject] {
        var objects: [FileObject] = []
        for (index, value) in (try array(key) ?? []).enumerated() {
            guard let members = value.object else { throw wrong("\(key)[\(index)]", "an object", value) }
            objects.append(FileObject(file, place("\(key)[\(index)]"), members))
        }
        return objects
    }

    func wrong(_ key: String, _ expected: String, _ value: JSONValue) -> TokenizationError {
        .malformed(file, place(key), expected: expected, found: value.summary)
    }
}
