import StrictJSON
import Testing
import Tokenization

/// A small byte-level tokenizer.json, so that each rule can be broken alone.
struct ByteLevelWriter {
    static let expression = #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
    static let firstSpecial = 300

    /// Ids 0 ..< 256 are the bytes in the order of the alphabet's characters.
    var vocabulary: [(text: String, id: Int)] = []
    var merges: [JSONValue] = []
    var added: [JSONValue] = []
    var root: JSONObject = [:]
    var model: JSONObject = ["type": "BPE", "dropout": nil, "unk_token": nil, "byte_fallback": false, "ignore_merges": true]

    /// The characters that stand for the bytes.
    static let alphabet: [Unicode.Scalar] = {
        var other: UInt32 = 0x100
        return (0 ..< 256).map { byte in
            if (0x21 ... 0x7E).contains(byte) || (0xA1 ... 0xAC).contains(byte) || byte >= 0xAE { return Unicode.Scalar(UInt8(byte)) }
            defer { other += 1 }
            return Unicode.Scalar(other) ?? "?"
        }
    }()

    static func written(_ text: String) -> String {
        var result = ""
        for byte in text.utf8 { result.unicodeScalars.append(alphabet[Int(byte)]) }
        return result
    }

    init() {
        for byte in 0 ..< 256 { vocabulary.append((String(Character(Self.alphabet[byte])), byte)) }
        for (left, right) in [("h", "e"), ("l", "l"), ("he", "ll"), (" ", "w"), ("hell", "o"), (" ", " "), ("o", "r"), (" w", "or")] { merge(left, right) }
        // A whole word that no merge makes.
        vocabulary.append((Self.written(" whole"), vocabulary.count))
        for (index, text) in ["<|begin|>", "<|eot_id|>"].enumerated() { add(text, id: Self.firstSpecial + index) }
        root = [
            "version": "1.0", "truncation": nil, "padding": nil, "normalizer": nil,
            "pre_tokenizer": [
                "type": "Sequence",
                "pretokenizers": [
                    ["type": "Split", "pattern": ["Regex": JSONValue(Self.expression)], "behavior": "Isolated", "invert": false],
                    ["type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false],
                ],
            ],
            "post_processor": [
                "type": "TemplateProcessing",
                "single": [["SpecialToken": ["id": "<|begin|>", "type_id": 0]], ["Sequence": ["id": "A", "type_id": 0]]],
            ],
            "decoder": ["type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true],
        ]
    }

    mutating func merge(_ left: String, _ right: String) {
        let (left, right) = (Self.written(left), Self.written(right))
        merges.append([JSONValue(left), JSONValue(right)])
        if !vocabulary.contains(where: { $0.text == left + right }) { vocabulary.append((left + right, vocabulary.count)) }
    }

    mutating func add(_ text: String, id: Int, special: Bool = true) {
        added.append(["id": JSONValue(id), "content": JSONValue(text), "special": JSONValue(special)])
    }

    func id(_ text: String) -> Int32 {
        Int32(vocabulary.first { $0.text == Self.written(text) }?.id ?? -1)
    }

    var document: JSONObject {
        var vocab = JSONObject()
        for (text, id) in vocabulary { vocab.set(text, JSONValue(id)) }
        var model = model
        model.set("vocab", JSONValue(vocab))
        model.set("merges", JSONValue(merges))
        var root = root
        root.set("model", JSONValue(model))
        root.set("added_tokens", JSONValue(added))
        return root
    }

    var bytes: [UInt8] { JSONValue(document).serialized() }

    func load(size: Int = 512) throws -> Tokenizer {
        try Tokenizer(files: TokenizerFiles(json: bytes, vocabularySize: size))
    }

    /// By way of the form that model files keep.
    func loadCompact(size: Int = 512) throws -> Tokenizer {
        let compact = try #require(try Tokenizer.byteLevelVocabulary(fromJSON: bytes, vocabularySize: size))
        return try Tokenizer(files: TokenizerFiles(byteLevel: compact, vocabularySize: size))
    }
}
