package import StrictJSON
package import TokenizerProbes

/// What a file says about its model besides the tensors.
/// Authority: `Formats/QuernFile.md`, section 6.
package struct ModelMetadata: Sendable, Equatable {
    /// The program that wrote the file.
    package struct Generator: Sendable, Equatable {
        package var name: String
        package var version: String

        package init(name: String, version: String) {
            self.name = name
            self.version = version
        }
    }

    /// A file of the checkpoint that tensors came from.
    package struct Source: Sendable, Equatable {
        package var name: String
        package var bytes: UInt64
        package var sha256: Digest32

        package init(name: String, bytes: UInt64, sha256: Digest32) {
            self.name = name
            self.bytes = bytes
            self.sha256 = sha256
        }
    }

    package var generator: Generator
    /// Every option that influenced the bytes; strings and numbers only.
    package var options: JSONObject
    package var sources: [Source]
    /// Text of the checkpoint's config.json, verbatim.
    package var config: String
    /// Text of its generation_config.json, if there was one.
    package var generationConfig: String?
    /// Id of the calibration used, if any.
    package var calibration: String?
    /// How the mixture of storage types was chosen, if one was asked for.
    package var plan: JSONObject?
    /// Absent in files of earlier versions, there empty.
    package var tokenizerProbes: [TokenizerProbe]

    package init(
        generator: Generator, options: JSONObject, sources: [Source], config: String, generationConfig: String? = nil, calibration: String? = nil,
        plan: JSONObject? = nil, tokenizerProbes: [TokenizerProbe] = []
    ) {
        for member in options.members { precondition(Self.isOption(member.value), "option \(member.key.quoted) is no string or number") }
        self.generator = generator
        self.options = options
        self.sources = sources
        self.config = config
        self.generationConfig = generationConfig
        self.calibration = calibration
        self.plan = plan
        self.tokenizerProbes = tokenizerProbes
    }

    private static func isOption(_ value: JSONValue) -> Bool { value.jsonString != nil || value.double != nil }

    package func encoded() -> [UInt8] {
        var files: JSONObject = ["config.json": JSONValue(config)]
        if let generationConfig { files.set("generation_config.json", JSONValue(generationConfig)) }
        var document: JSONObject = [
            "format": "quern",
            "generator": ["name": JSONValue(generator.name), "version": JSONValue(generator.version)],
            "options": JSONValue(options),
            "sources": JSONValue(
                sources.map { ["name": JSONValue($0.name), "bytes": JSONValue($0.bytes), "sha256": JSONValue($0.sha256.hex)] }),
            "files": JSONValue(files),
        ]
        if let calibration { document.set("calibration", JSONValue(calibration)) }
        if let plan { document.set("plan", JSONValue(plan)) }
        if !tokenizerProbes.isEmpty { document.set("tokenizer_probes", JSONValue(tokenizerProbes.map(\.json))) }
        return JSONValue(document).serialized()
    }

    package init(decoding bytes: [UInt8], path: String) throws(ModelFileError) {
        let document: JSONValue
        do throws(JSONError) {
            document = try JSONReader.read(bytes, limits: JSONReader.Limits(depth: 16, values: 1 << 20))
        } catch { throw Self.failure(path, "not valid JSON: \(error)") }
        let root = Node(path: path, name: "", value: document)
        let format = try root.string("format")
        guard format == "quern" else { throw Self.failure(path, "format is \(JSONString.quoted(format)), expected 'quern'") }
        let generator = try root.member("generator")
        self.generator = Generator(name: try generator.string("name"), version: try generator.string("version"))
        let options = try root.member("options")
        self.options = try options.object()
        for member in self.options.members where !Self.isOption(member.value) {
            throw Self.failure(path, "options: \(member.key.quoted) is \(member.value.summary), expected a string or a number")
        }
        let sources = try root.member("sources")
        guard let list = sources.value.array else { throw sources.wrong("an array") }
        self.sources = []
        for (index, value) in list.enumerated() {
            self.sources.append(try Self.source(Node(path: path, name: "sources[\(index)]", value: value)))
        }
        let files = try root.member("files")
        config = try files.string("config.json")
        generationConfig = try files.object()["generation_config.json"] == nil ? nil : files.string("generation_config.json")
        calibration = try root.object()["calibration"] == nil ? nil : root.string("calibration")
        plan = try root.object()["plan"] == nil ? nil : root.member("plan").object()
        tokenizerProbes = []
        if try root.object()["tokenizer_probes"] != nil {
            let probes = try root.member("tokenizer_probes")
            guard let list = probes.value.array, (1...256).contains(list.count) else { throw probes.wrong("an array of 1 to 256 objects") }
            for (index, value) in list.enumerated() {
                tokenizerProbes.append(try TokenizerProbe(Node(path: path, name: "tokenizer_probes[\(index)]", value: value)))
            }
        }
    }

    private static func source(_ node: Node) throws(ModelFileError) -> Source {
        let bytes = try node.member("bytes")
        guard let count = bytes.value.uint64 else { throw bytes.wrong("a whole number, 0 or more") }
        let hex = try node.member("sha256")
        guard let digest = hex.value.string.flatMap(Digest32.init(hex:)) else { throw hex.wrong("64 lower-case hexadecimal digits") }
        return Source(name: try node.string("name"), bytes: count, sha256: digest)
    }

    fileprivate static func failure(_ path: String, _ what: String) -> ModelFileError {
        ModelFileError(.invalid, path: path, "metadata: \(what); \(Cure.convertAgain)")
    }
}

extension TokenizerProbe {
    fileprivate static let longestText = 4096

    fileprivate var json: JSONValue {
        ["text": JSONValue(text), "special": JSONValue(parsesSpecial), "ids": JSONValue(ids.map { JSONValue($0) }), "decoded": JSONValue(decoded)]
    }

    fileprivate init(_ node: Node) throws(ModelFileError) {
        let text = try node.string("text")
        guard text.utf8.count <= Self.longestText else { throw try node.member("text").wrong("at most \(Self.longestText) bytes") }
        let special = try node.member("special")
        guard let parsesSpecial = special.value.bool else { throw special.wrong("true or false") }
        let list = try node.member("ids")
        guard let values = list.value.array else { throw list.wrong("an array") }
        var ids: [Int32] = []
        for value in values {
            guard let id = value.int.flatMap({ Int32(exactly: $0) }), id >= 0 else { throw list.wrong("token ids") }
            ids.append(id)
        }
        self.init(text: text, parsesSpecial: parsesSpecial, ids: ids, decoded: try node.string("decoded"))
    }
}

/// A value of the document and its name in messages.
private struct Node {
    let path: String
    let name: String
    let value: JSONValue

    func wrong(_ expected: String) -> ModelFileError {
        ModelMetadata.failure(path, "\(name.isEmpty ? "the document" : name) is \(value.summary), expected \(expected)")
    }

    func object() throws(ModelFileError) -> JSONObject {
        guard let object = value.object else { throw wrong("an object") }
        return object
    }

    func member(_ key: String) throws(ModelFileError) -> Node {
        let full = name.isEmpty ? key : "\(name): \(key)"
        guard let member = try object()[key] else { throw ModelMetadata.failure(path, "\(full) is missing") }
        return Node(path: path, name: full, value: member)
    }

    func string(_ key: String) throws(ModelFileError) -> String {
        let member = try member(key)
        guard let text = member.value.string else { throw member.wrong("a string") }
        return text
    }
}
