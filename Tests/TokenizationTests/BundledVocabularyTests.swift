import StrictJSON
import Testing
import Tokenization

/// The small checkpoint in the repository: its prompts, ids and texts were made with SentencePiece.
@Suite struct BundledVocabularyTests {
    @Test func goldenPromptsAndTexts() throws {
        let tokenizer = try TestFiles.bundledTokenizer()
        #expect(tokenizer.beginID == 1 && tokenizer.endIDs == [2] && tokenizer.addsBegin && tokenizer.notes.isEmpty)
        let golden = try JSONReader.read(TestFiles.read(TestFiles.bundled + "golden.json"))
        let items = try #require(golden["greedy"]?.array)
        #expect(!items.isEmpty)
        for item in items {
            let prompt = try #require(item["prompt"]?.jsonString).bytes
            let ids = try #require(item["ids"]?.array).compactMap(\.int).map { Int32($0) }
            #expect(tokenizer.encode(prompt, addBOS: true, parseSpecial: false) == ids)
            let greedy = try #require(item["greedy"]?.array).compactMap(\.int).map { Int32($0) }
            let text = try #require(item["text"]?.string)
            #expect(tokenizer.decode(greedy, style: .sentencePiece) == text)
        }
    }

    @Test(arguments: DecodingStyle.allCases)
    func textComesBackWhole(_ style: DecodingStyle) throws {
        let tokenizer = try TestFiles.bundledTokenizer()
        for text in ["", "a", " a", "  two  spaces ", "\n\ttabs\r\n", "naïve ½ 🦙 我想", "e\u{301}", "<s>not special</s>", "\0"] {
            let ids = tokenizer.encode(text, addBOS: false, parseSpecial: false)
            #expect(Array(tokenizer.decode(ids, style: style).utf8) == Array(text.utf8))
        }
    }

    @Test func specialTextIsParsedOnlyOnRequest() throws {
        let tokenizer = try TestFiles.bundledTokenizer()
        #expect(tokenizer.encode("<s></s><unk>", addBOS: false, parseSpecial: true) == [1, 2, 0])
        #expect(tokenizer.encode("<s>", addBOS: false, parseSpecial: false).contains(1) == false)
        #expect(tokenizer.encode("", addBOS: true, parseSpecial: true) == [1])
        #expect(tokenizer.encode("", addBOS: false, parseSpecial: true) == [])
    }

    @Test func addedTokensExtendTheVocabulary() throws {
        let added = #"{"<pad>": 4096, "<|user|>": 4097, "word": 4098, "beyond": 4099}"#
        let tokenizer = try Tokenizer(files: TokenizerFiles(
            model: TestFiles.bundledModel(), addedTokens: Array(added.utf8), vocabularySize: 4099))
        #expect(tokenizer.encode("<pad>word", addBOS: false, parseSpecial: false) == [4096, 4098])
        #expect(tokenizer.encode("<|user|>", addBOS: false, parseSpecial: true) == [4097])
        #expect(!tokenizer.encode("<|user|>", addBOS: false, parseSpecial: false).contains(4097))
        #expect(tokenizer.decode([4097, 4098], style: .skippingSpecial) == "word")
        #expect(tokenizer.decode([4097, 4098], style: .keepingSpecial) == "<|user|>word")
        #expect(tokenizer.notes == [
            "added_tokens.json: token 'beyond' has id 4099, but the model has 4099 rows; the token is not used",
        ])
    }

    @Test func severalEndTokens() throws {
        let tokenizer = try Tokenizer(files: TokenizerFiles(
            model: TestFiles.bundledModel(), configuration: Array(#"{"eos_token": {"content": "</s>"}}"#.utf8),
            generationConfiguration: Array(#"{"eos_token_id": [2, 7, 9999]}"#.utf8), vocabularySize: 4096))
        #expect(tokenizer.endIDs == [2, 7])
        #expect(tokenizer.notes.count == 1)
    }

    /// Med42-v2: config.json and generation_config.json name one token, special_tokens_map.json another.
    @Test func everyFileMayNameAnEndToken() throws {
        func ends(configuration: String, map: String, generation: String?, model: String) throws -> [Int32] {
            var files = TokenizerFiles(
                model: try TestFiles.bundledModel(), configuration: Array(configuration.utf8),
                addedTokens: Array(#"{"<|end_of_text|>": 4096, "<|end_of_turn|>": 4097}"#.utf8), specialTokensMap: Array(map.utf8),
                generationConfiguration: generation.map { Array($0.utf8) }, vocabularySize: 4100)
            files.modelConfiguration = Array(model.utf8)
            let tokenizer = try Tokenizer(files: files)
            #expect(tokenizer.notes.isEmpty)
            return tokenizer.endIDs.sorted()
        }
        let text = #"{"eos_token": "<|end_of_text|>"}"#, turn = #"{"eos_token": {"content": "<|end_of_turn|>"}}"#
        #expect(try ends(configuration: text, map: turn, generation: #"{"eos_token_id": 4096}"#, model: #"{"eos_token_id": 4096}"#) == [4096, 4097])
        #expect(try ends(configuration: "{}", map: turn, generation: nil, model: #"{"eos_token_id": 4096}"#) == [4096, 4097])
        #expect(try ends(configuration: text, map: "{}", generation: nil, model: #"{"eos_token_id": [4096, 4099]}"#) == [4096, 4099])
        #expect(try ends(configuration: turn, map: turn, generation: #"{"eos_token_id": [4098]}"#, model: #"{"eos_token_id": -1}"#) == [4097, 4098])
    }

    @Test func unknownIDsDecodeToNothing() throws {
        let tokenizer = try TestFiles.bundledTokenizer()
        #expect(tokenizer.decode([-1, 4096, .max, .min], style: .keepingSpecial) == "")
    }

    /// Work must grow with n log n: these sizes would take hours if it grew with the square.
    @Test func longTextsOfEveryShape() throws {
        let tokenizer = try TestFiles.bundledTokenizer()
        let size = 1 << 20
        let letter = UInt8(ascii: "a")
        var generator = Numbers(state: 3)
        var mixed = [UInt8](repeating: letter, count: size)
        for index in mixed.indices { mixed[index] += UInt8(generator.next() & 15) }
        var words = mixed
        for index in stride(from: 0, to: size, by: 6) { words[index] = 0x20 }
        let shapes: [(String, [UInt8])] = [
            ("one letter", Array(repeating: letter, count: size)),
            ("spaces", Array(repeating: 0x20, count: size)),
            ("no spaces", mixed),
            ("malformed", Array(repeating: 0xFF, count: size)),
            ("words", words),
        ]
        for (name, text) in shapes {
            let ids = tokenizer.encode(text, addBOS: false, parseSpecial: true)
            let expected = String(decoding: text, as: UTF8.self)
            if name != "malformed" { #expect(tokenizer.decode(ids, style: .sentencePiece) == expected, "\(name)") }
        }
    }
}
