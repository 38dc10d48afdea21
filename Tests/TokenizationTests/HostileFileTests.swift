import Testing
import Tokenization

/// Files from anywhere: whatever their bytes, loading gives a tokenizer or an error.
@Suite struct HostileFileTests {
    private func load(_ model: [UInt8]) -> Tokenizer? {
        try? Tokenizer(files: TokenizerFiles(model: model, vocabularySize: 4096))
    }

    private func exercise(_ tokenizer: Tokenizer) {
        let ids = tokenizer.encode("The <s>  naïve 🦙</s>\n", addBOS: true, parseSpecial: true)
        _ = tokenizer.decode(ids + [0, 3, 259, 4095], style: .keepingSpecial)
    }

    @Test func truncatedModels() throws {
        let model = try TestFiles.bundledModel()
        for length in stride(from: 0, to: model.count, by: model.count / 300) {
            if let tokenizer = load(Array(model[..<length])) { exercise(tokenizer) }
        }
        #expect(load(Array(model.dropLast(60))) == nil)
    }

    @Test func changedModels() throws {
        let model = try TestFiles.bundledModel()
        var generator = Numbers(state: 11)
        for round in 0 ..< 400 {
            var changed = model
            // Half of the changes near the end, where the rules of the whole are.
            let first = round % 2 == 0 ? 0 : model.count - 130
            for _ in 0 ... generator.next() % 3 {
                changed[first + generator.next() % (model.count - first)] = UInt8(generator.next() & 255)
            }
            if let tokenizer = load(changed) { exercise(tokenizer) }
        }
    }

    @Test(arguments: [
        "", "[", "[]", "{}", #"{"model":{}}"#, #"{"model":{"type":"BPE","byte_fallback":true,"vocab":{"a":-1},"merges":[]}}"#,
        #"{"added_tokens":[{"id":99999999999,"content":"x"}]}"#, #"{"normalizer":{"type":"NFKC"},"model":{}}"#,
    ])
    func brokenJSON(_ text: String) throws {
        #expect(throws: TokenizationError.self) {
            try Tokenizer(files: TokenizerFiles(json: Array(text.utf8), vocabularySize: 4096))
        }
    }

    @Test func sideFilesOfTheWrongShape() throws {
        let model = try TestFiles.bundledModel()
        for text in ["[]", #"{"legacy":"yes"}"#, #"{"bos_token":7}"#, #"{"added_tokens_decoder":{"x":{}}}"#,
                     #"{"added_tokens_decoder":{"5000":{}}}"#, #"{"legacy":true,"legacy":true}"#] {
            #expect(throws: TokenizationError.self, "\(text)") {
                try Tokenizer(files: TokenizerFiles(model: model, configuration: Array(text.utf8), vocabularySize: 4096))
            }
        }
    }
}
