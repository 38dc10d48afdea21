import StrictJSON
import Testing
import Tokenization

/// Expected ids and texts that the reference implementations gave for the real LLaMA-2 vocabulary.
@Suite(.enabled(if: TestFiles.isSharedPresent, "skipped: ../shared/tokenizers with the real vocabularies is not beside the repository"))
struct SharedCaseTests {
    static let cases: JSONValue = (try? JSONReader.read(TestFiles.read(TestFiles.shared + "cases.json"))) ?? .null

    private func check(_ field: String, parseSpecial: Bool, _ tokenizer: Tokenizer, _ name: String) throws {
        var count = 0
        for item in try #require(Self.cases["cases"]?.array) {
            guard let text = item["text"]?.jsonString, let expected = item[field]?.array else { continue }
            let ids = tokenizer.encode(text.bytes, addBOS: false, parseSpecial: parseSpecial)
            #expect(ids.map(Int.init) == expected.compactMap(\.int), "\(name): \(text.quoted)")
            count += 1
        }
        #expect(count > 50)
    }

    @Test func plainTextAsSentencePiece() throws {
        try check("spm", parseSpecial: false, TestFiles.llama2(), "tokenizer.model")
    }

    @Test func legacyForm() throws {
        try check("l2_legacy", parseSpecial: true, TestFiles.llama2(legacy: true), "tokenizer.model")
        try check("l2_legacy", parseSpecial: true, TestFiles.llama2JSON(newForm: false), "tokenizer.json")
    }

    @Test func newForm() throws {
        try check("l2_new", parseSpecial: true, TestFiles.llama2(legacy: false), "tokenizer.model")
        try check("l2_new", parseSpecial: true, TestFiles.llama2JSON(newForm: true), "tokenizer.json")
    }

    @Test func decoding() throws {
        for tokenizer in try [TestFiles.llama2(), TestFiles.llama2JSON(newForm: true)] {
            for item in try #require(Self.cases["decode_l2"]?.array) {
                let ids = try #require(item["ids"]?.array).compactMap(\.int).map { Int32($0) }
                for (field, style) in [("spm", DecodingStyle.sentencePiece), ("hf_skip", .skippingSpecial), ("hf_keep", .keepingSpecial)] {
                    let expected = try #require(item[field]?.jsonString).bytes
                    #expect(Array(tokenizer.decode(ids, style: style).utf8) == expected, "\(ids) \(field)")
                    var stream = StreamingDecoder(tokenizer, style: style, contextIsEmpty: true)
                    let streamed = ids.map { stream.append($0) }.joined() + stream.finish()
                    #expect(Array(streamed.utf8) == expected, "streamed \(ids) \(field)")
                }
            }
        }
    }

    @Test func canonicallyEquivalentPiecesStayDistinct() throws {
        let tokenizer = try TestFiles.llama2()
        for (first, second) in [(30207, 30873), (30216, 31042), (30228, 31091), (30273, 31059), (30280, 31668), (30308, 31469)] {
            let a = tokenizer.vocabulary[Int32(first)].bytes, b = tokenizer.vocabulary[Int32(second)].bytes
            #expect(String(decoding: a, as: UTF8.self) == String(decoding: b, as: UTF8.self))
            #expect(tokenizer.vocabulary.id(of: a) == Int32(first))
            #expect(tokenizer.vocabulary.id(of: b) == Int32(second))
        }
        #expect(tokenizer.encode("\u{384}\u{3AC}\u{1F71}", addBOS: false, parseSpecial: false) == [29871, 209, 135, 30216, 31042])
    }

    @Test func malformedBytesAreReplacedOneByOne() throws {
        #expect(try TestFiles.llama2().encode([0xFF, 0xFE, 0x41], addBOS: false, parseSpecial: false) == [29871, 26308, 29909])
    }

    @Test func byteLevel() throws {
        let json = try TestFiles.read(TestFiles.shared + "llama3/tokenizer.json")
        let settings = try TestFiles.read(TestFiles.shared + "llama3/tokenizer_config.json")
        let compact = try #require(try Tokenizer.byteLevelVocabulary(fromJSON: json, vocabularySize: 128256))
        let tokenizer = try Tokenizer(files: TokenizerFiles(byteLevel: compact, configuration: settings, vocabularySize: 128256))
        try check("l3", parseSpecial: true, tokenizer, "tokenizer.json")
        for item in try #require(Self.cases["cases"]?.array) {
            guard let text = item["text"]?.jsonString, let ids = item["l3"]?.array?.compactMap(\.int).map({ Int32($0) }) else { continue }
            #expect(Array(tokenizer.decode(ids, style: .keepingSpecial).utf8) == text.bytes)
        }
        #expect(tokenizer.beginID == 128000 && tokenizer.addsBegin && tokenizer.endIDs == [128009, 128001] && tokenizer.notes.isEmpty)
        let chat = "<|start_header_id|>system<|end_header_id|>\n\nHi<|eot_id|>"
        let pieces = [PromptPiece("<|start_header_id|>system<|end_header_id|>\n\n", isTrusted: true), PromptPiece("Hi", isTrusted: false), PromptPiece("<|eot_id|>", isTrusted: true)]
        #expect(tokenizer.encode(pieces, addBOS: false) == [128006, 9125, 128007, 271, 13347, 128009])
        #expect(tokenizer.encode(chat, addBOS: false, parseSpecial: true) == [128006, 9125, 128007, 271, 13347, 128009])
        // Taken whole; by merging it would be 67387 6780 48320.
        #expect(tokenizer.encode(" gerekiyor", addBOS: false, parseSpecial: false) == [115431])
        // Early files lack the flag.
        var root = try #require(try JSONReader.read(json).object), model = try #require(root["model"]?.object)
        model.set("ignore_merges", false)
        root.set("model", JSONValue(model))
        let early = try Tokenizer(files: TokenizerFiles(json: JSONValue(root).serialized(), vocabularySize: 128256))
        #expect(early.encode(" gerekiyor", addBOS: false, parseSpecial: false) == [115431])
    }
}
