import Architectures
import ArgumentParser
import ByteStorage
import Conversion
import Generation
import Glibc
import ModelFiles
import StrictJSON
import Tokenization

struct TokenizeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tokenize", abstract: "Turns text into token ids, or ids into text.",
        discussion: """
            Reads standard input, byte for byte: a line break at the end is part of the text. Without options the ids of the whole input are \
            written on one line. With -0 the input is several texts, separated by NUL bytes (a NUL at the very end starts a last, empty text), \
            and each gets a line. With --decode each input line holds ids, separated by spaces or commas or as a JSON array, and becomes a text: \
            on a line of its own, as a JSON string with --json, or separated by NUL bytes with -0.

            \(ExitCodes.help)
            """)

    @Argument(help: "A .quern file or a folder with tokenizer.model or tokenizer.json.", completion: .file()) var path: String
    @Flag(help: "Read ids, write text.") var decode = false
    @Flag(name: [.customShort("0"), .customLong("null")], help: "Texts are separated by NUL bytes.") var null = false
    @Flag(help: "Write a JSON array of ids, or with --decode a JSON string, per line.") var json = false
    @Flag(help: "Read special tokens such as </s> in the text as tokens; with --decode, show them.") var special = false
    @Flag(help: "Do not put the begin token before each text.") var noBos = false

    func run() throws {
        try ErrorPresentation.run {
            let tokenizer = try Self.open(path)
            for note in tokenizer.notes { Terminal.note("\(path): \(note)") }
            let input = try InputText.readStandardInput()
            try decode ? decodeLines(input, tokenizer) : encode(input, tokenizer)
        }
    }

    private func encode(_ input: [UInt8], _ tokenizer: Tokenizer) throws {
        let texts = null ? input.split(separator: 0, omittingEmptySubsequences: false) : [input[...]]
        for text in texts {
            let ids = tokenizer.encode(text, addBOS: tokenizer.addsBegin && !noBos, parseSpecial: special)
            let line = ids.map(String.init).joined(separator: json ? "," : " ")
            _ = try OutputText.write(json ? "[\(line)]\n" : line + "\n")
        }
    }

    private func decodeLines(_ input: [UInt8], _ tokenizer: Tokenizer) throws {
        var lines = input.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        if lines.last?.isEmpty == true { lines.removeLast() }
        let limit = max(tokenizer.vocabulary.count, tokenizer.addedTokens.map { Int($0.id) + 1 }.max() ?? 0)
        for (number, line) in lines.enumerated() {
            let ids = try Self.ids(in: line, number: number + 1, limit: limit)
            let text = tokenizer.decode(ids, style: special ? .keepingSpecial : .sentencePiece)
            let separator = null ? (number + 1 < lines.count ? "\0" : "") : "\n"
            _ = try OutputText.write((json ? JSONValue(text).text() : text) + separator)
        }
    }

    /// The ids of a line: "[1, 2]", "1,2" or "1 2".
    private static func ids(in line: ArraySlice<UInt8>, number: Int, limit: Int) throws -> [Int32] {
        var trimmed = String(decoding: line, as: UTF8.self)[...]
        while let last = trimmed.last, last.isWhitespace { trimmed.removeLast() }
        trimmed = trimmed.drop { $0.isWhitespace }
        func id(_ word: Substring) throws -> Int32 {
            guard word.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let id = Int32(word), Int(id) < limit else {
                throw ConversionError("standard input: line \(number): expected token ids within 0...\(limit - 1), found '\(word)'")
            }
            return id
        }
        let isArray = trimmed.hasPrefix("[") && trimmed.hasSuffix("]")
        if isArray { trimmed = trimmed.dropFirst().dropLast() }
        if trimmed.allSatisfy(\.isWhitespace) { return [] }
        return try trimmed.split(separator: ",", omittingEmptySubsequences: false).flatMap { part in
            let words = part.split { $0.isWhitespace }
            guard !words.isEmpty else { throw ConversionError("standard input: line \(number): expected a token id beside each comma, found none") }
            if isArray && words.count > 1 {
                throw ConversionError("standard input: line \(number): expected a comma between the ids of an array, found '\(words[0]) \(words[1])'")
            }
            return try words.map(id)
        }
    }

    /// The tokenizer of a file or of a folder.
    static func open(_ path: String) throws -> Tokenizer {
        switch Folders.kind(of: path) {
        case .file:
            let reader = try ModelFileReader(path: path)
            return try ErrorPresentation.naming(path) {
                let configuration = try LlamaConfiguration(json: Array(reader.metadata.config.utf8))
                return try Tokenizer(modelFile: reader, vocabulary: configuration.vocabulary)
            }
        case .folder: return try ErrorPresentation.naming(path) { try open(folder: path) }
        case .missing: throw ConversionError("\(path): \(Folders.whyMissing(path)); give a .quern file or a folder with a tokenizer")
        case .other: throw ConversionError("\(path): neither a file nor a folder; give a .quern file or a folder with a tokenizer")
        }
    }

    private static func open(folder: String) throws -> Tokenizer {
        func bytes(_ name: String) throws -> [UInt8]? {
            let path = "\(folder)/\(name)"
            return Folders.kind(of: path) == .missing ? nil : try ReadableFile(path: path).readAll(limit: 64 << 20)
        }
        let (model, json) = (try bytes("tokenizer.model"), try bytes("tokenizer.json"))
        guard model != nil || json != nil else {
            throw ConversionError("\(folder): neither tokenizer.model nor tokenizer.json is here; give a folder with a tokenizer")
        }
        // Without a config nothing says how many rows the embedding has, and no id is dropped.
        let config = try bytes(LlamaConfiguration.fileName)
        let vocabulary = try config.map { try LlamaConfiguration(json: $0).vocabulary } ?? Int(Int32.max)
        var files = TokenizerFiles(
            model: model, json: json, configuration: try bytes("tokenizer_config.json"), addedTokens: try bytes("added_tokens.json"),
            specialTokensMap: try bytes("special_tokens_map.json"), generationConfiguration: try bytes("generation_config.json"),
            vocabularySize: vocabulary)
        files.modelConfiguration = config
        return try Tokenizer(files: files)
    }
}
