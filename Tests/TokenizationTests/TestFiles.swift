import Glibc
import StrictJSON
import Tokenization

/// Files the tests read: the bundled small checkpoint, and larger data beside the repository that may be absent.
enum TestFiles {
    static let repository: String = {
        let parts = #filePath.split(separator: "/", omittingEmptySubsequences: false)
        return parts.dropLast(3).joined(separator: "/")
    }()
    static let bundled = repository + "/Tests/Fixtures/tiny-docs/"
    static let shared = repository + "/../shared/tokenizers/"
    static let isSharedPresent = access(shared + "cases.json", R_OK) == 0

    static func read(_ path: String) throws -> [UInt8] {
        struct Unreadable: Error { var path: String }
        guard let file = fopen(path, "rb") else { throw Unreadable(path: path) }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = fread(&buffer, 1, buffer.count, file)
            if count == 0 { return bytes }
            bytes += buffer[..<count]
        }
    }

    static func bundledModel() throws -> [UInt8] { try read(bundled + "tokenizer.model") }

    static func bundledTokenizer() throws -> Tokenizer {
        try Tokenizer(files: TokenizerFiles(
            model: bundledModel(), configuration: read(bundled + "tokenizer_config.json"),
            generationConfiguration: read(bundled + "generation_config.json"), vocabularySize: 4096))
    }

    /// The real LLaMA-2 vocabulary from its tokenizer.model.
    static func llama2(legacy: Bool? = nil) throws -> Tokenizer {
        let configuration = legacy.map { Array("{\"legacy\": \($0)}".utf8) }
        return try Tokenizer(files: TokenizerFiles(
            model: read(shared + "llama2/tokenizer.model"), configuration: configuration, vocabularySize: 32000))
    }

    /// The same vocabulary from tokenizer.json, as it is or with the newer rule for spaces.
    static func llama2JSON(newForm: Bool) throws -> Tokenizer {
        var bytes = try read(shared + "llama2/tokenizer.json")
        if newForm { bytes = newFormJSON(try JSONReader.read(bytes)) }
        return try Tokenizer(files: TokenizerFiles(json: bytes, vocabularySize: 32000))
    }

    private static func newFormJSON(_ value: JSONValue) -> [UInt8] {
        guard var root = value.object else { return [] }
        root.set("normalizer", nil)
        root.set("pre_tokenizer", ["type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": false])
        return JSONValue(root).serialized()
    }
}
