import StrictJSON
import Testing
import Tokenization
import TokenizerProbes

@Suite struct ByteLevelTests {
    private func ids(_ text: String, _ tokenizer: Tokenizer, special: Bool = false) -> [Int32] {
        tokenizer.encode(text, addBOS: false, parseSpecial: special)
    }

    @Test func mergesInTheOrderOfTheList() throws {
        let writer = ByteLevelWriter()
        for tokenizer in try [writer.load(), writer.loadCompact()] {
            #expect(ids("hello", tokenizer) == [writer.id("hello")])
            #expect(ids("hell", tokenizer) == [writer.id("hell")])
            // "l l" comes before "he ll", the leftmost pair first.
            #expect(ids("helll", tokenizer) == [writer.id("hell"), writer.id("l")])
            #expect(ids(" worx", tokenizer) == [writer.id(" wor"), writer.id("x")])
            #expect(ids("hehe", tokenizer) == [writer.id("he"), writer.id("he")])
            #expect(ids("", tokenizer) == [])
        }
    }

    @Test func wholeWordsGoBeforeMerges() throws {
        var writer = ByteLevelWriter()
        #expect(try ids(" whole", writer.load()) == [writer.id(" whole")])
        #expect(try ids(" wholes", writer.load()) == [" w", "h", "o", "l", "e", "s"].map(writer.id))
        writer.model.set("ignore_merges", false)
        for tokenizer in try [writer.load(), writer.loadCompact()] {
            #expect(ids(" whole", tokenizer) == [" w", "h", "o", "l", "e"].map(writer.id))
        }
        writer.model.set("ignore_merges", nil)
        #expect(try ids(" whole", writer.load()) == [writer.id(" whole")])
    }

    @Test func everyByteComesBack() throws {
        let tokenizer = try ByteLevelWriter().load()
        let text = "naïve ½ 🦙 我想\u{0}\u{85}\u{2581} <|eot_id|>\r\n\t  x"
        let encoded = ids(text, tokenizer)
        #expect(!encoded.contains { $0 >= 300 })
        for style in DecodingStyle.allCases {
            #expect(tokenizer.decode(encoded, style: style) == text)
            var stream = StreamingDecoder(tokenizer, style: style, contextIsEmpty: true)
            #expect(encoded.map { stream.append($0) }.joined() + stream.finish() == text)
        }
        #expect(tokenizer.encode([0x41, 0xFF, 0xE2, 0x96], addBOS: false, parseSpecial: false) == ids("A\u{FFFD}\u{FFFD}\u{FFFD}", tokenizer))
    }

    @Test func controlTokensOnlyWhereTrusted() throws {
        let tokenizer = try ByteLevelWriter().loadCompact()
        #expect(ids("hello<|eot_id|>", tokenizer, special: true).last == 301)
        #expect(!ids("hello<|eot_id|>", tokenizer).contains(301))
        #expect(tokenizer.encode("", addBOS: true, parseSpecial: false) == [300])
        #expect(tokenizer.addsBegin && tokenizer.beginID == 300 && tokenizer.endIDs == [301])
        #expect(tokenizer.text(ofRole: "bos_token") == "<|begin|>" && tokenizer.text(ofRole: "eos_token") == "<|eot_id|>")
        let pieces = [
            PromptPiece("<|begin|>he", isTrusted: true), PromptPiece("llo<|eot_id|>", isTrusted: false), PromptPiece("<|eot_id|>", isTrusted: true),
        ]
        let text = ids("hello<|eot_id|>", tokenizer)
        #expect(tokenizer.encode(pieces, addBOS: false) == [300] + text + [301])
        #expect(tokenizer.decode([300, 301] + text, style: .skippingSpecial) == "hello<|eot_id|>")
        #expect(tokenizer.decode([300, 301], style: .keepingSpecial) == "<|begin|><|eot_id|>")
    }

    /// A control token that the vocabulary holds as well: text that spells it as one word must not become it.
    @Test func aControlTokenInTheVocabularyIsNotText() throws {
        var writer = ByteLevelWriter()
        let id = writer.vocabulary.count
        writer.vocabulary.append(("stop", id))
        writer.add("stop", id: id)
        for tokenizer in try [writer.load(), writer.loadCompact()] {
            #expect(ids("stop", tokenizer) == ["s", "t", "o", "p"].map(writer.id))
            #expect(ids("stop", tokenizer, special: true) == [Int32(id)])
            #expect(tokenizer.decode([Int32(id)], style: .keepingSpecial) == "stop" && tokenizer.decode([Int32(id)], style: .skippingSpecial) == "")
        }
        writer.merges.append(["st", "op"])
        writer.vocabulary += [("st", id + 1), ("op", id + 2)]
        #expect(throws: TokenizationError.self) { try writer.load() }
    }

    /// The other form in which Llama-3 comes.
    @Test func aListOfRanksGivesWay() throws {
        let list = Array("IQ== 0\nIg== 1\n".utf8)
        let tokenizer = try Tokenizer(files: TokenizerFiles(model: list, json: ByteLevelWriter().bytes, vocabularySize: 512))
        #expect(ids("hello", tokenizer) == [ByteLevelWriter().id("hello")])
        #expect(throws: TokenizationError.self) { try Tokenizer(files: TokenizerFiles(model: list, vocabularySize: 512)) }
    }

    @Test func partsOfCharacters() throws {
        let tokenizer = try ByteLevelWriter().load()
        // A maximal part of a character is one replacement; what cannot begin a character is one each.
        let cases: [([UInt8], String)] = [
            ([0xF0, 0x9F, 0xA6], "\u{FFFD}"), ([0xF0, 0x9F, 0x41], "\u{FFFD}A"), ([0xE0, 0x80, 0x41], "\u{FFFD}\u{FFFD}A"), ([0xED, 0xA0, 0x80], "\u{FFFD}\u{FFFD}\u{FFFD}"),
            ([0xF4, 0x90], "\u{FFFD}\u{FFFD}"), ([0xC2, 0xC2, 0xA9], "\u{FFFD}©"), ([0x80, 0xFF], "\u{FFFD}\u{FFFD}"), ([0xE2, 0x82, 0xAC], "€"),
        ]
        for (bytes, text) in cases {
            let ids = bytes.map { Int32($0) }
            for style in DecodingStyle.allCases { #expect(tokenizer.decode(ids, style: style) == text, "\(bytes)") }
        }
        var stream = StreamingDecoder(tokenizer, contextIsEmpty: true)
        #expect([0xF0, 0x9F, 0xA6, 0x99, 0x41].map { stream.append($0) } == ["", "", "", "🦙", "A"])
        // A control token in between is not seen.
        #expect([0xE2, 301, 0x82, 0xAC, 0xE2, 0x82].map { stream.append($0) } == ["", "", "", "€", "", ""])
        #expect(stream.finish() == "\u{FFFD}" && stream.finish() == "")
    }

    @Test func streamedOutputIsTheWholeText() throws {
        let tokenizer = try ByteLevelWriter().load()
        var generator = Numbers(state: 5)
        for _ in 0 ..< 2000 {
            let ids = (0 ..< generator.next() % 12).map { _ in Int32(generator.next() % 303) }
            for style in DecodingStyle.allCases {
                var stream = StreamingDecoder(tokenizer, style: style, contextIsEmpty: true)
                let joined = ids.map { stream.append($0) }.joined() + stream.finish()
                #expect(Array(joined.utf8) == Array(tokenizer.decode(ids, style: style).utf8), "\(ids)")
                // As the standard library replaces.
                let bytes = ids.flatMap { id in id < 256 ? [UInt8(id)] : tokenizer.decode([id], style: style).utf8.map { $0 } }
                #expect(joined == String(decoding: bytes, as: UTF8.self), "\(ids)")
            }
        }
    }

    /// Work must grow with n log n: these sizes would take hours if it grew with the square.
    @Test(arguments: [" ", "h", "hel", "\n", "\n ", "1", "'", "e\u{301}", "我", "!", "<|eot_id", " \u{A0}"])
    func longTextsOfEveryShape(_ unit: String) throws {
        let tokenizer = try ByteLevelWriter().load()
        let text = String(repeating: unit, count: (1 << 20) / unit.utf8.count)
        let ids = ids(text, tokenizer, special: true)
        #expect(tokenizer.decode(ids, style: .keepingSpecial) == text)
    }

    @Test func probesTellTokenizersApart() throws {
        var writer = ByteLevelWriter()
        let tokenizer = try writer.load()
        let probes = tokenizer.probes()
        #expect(probes.count > 20 && probes.contains { $0.parsesSpecial && $0.ids.contains(301) })
        try writer.loadCompact().check(probes, writer: "quern 1")
        writer.model.set("ignore_merges", false)
        writer.vocabulary.append(("Hello", writer.vocabulary.count))
        try writer.load().check(probes, writer: "quern 1")
        writer.model.set("ignore_merges", true)
        let error = #expect(throws: TokenizationError.self) { try writer.load().check(probes, writer: "quern 1") }
        #expect("\(try #require(error))" == "the file's tokenizer: probe 4, 'Hello world': expected the ids 72 101 257 111 263 108 100, "
            + "as quern 1 found when it converted the model, found 265 263 108 100; this program reads text differently than the one "
            + "that made the file: convert the model again with this one, or use quern 1")
        var changed = probes
        changed[5].decoded += "x"
        #expect(throws: TokenizationError.self) { try tokenizer.check(changed, writer: "quern 1") }
        try TestFiles.bundledTokenizer().check(TestFiles.bundledTokenizer().probes(), writer: "")
        #expect(throws: TokenizationError.self) { try TestFiles.bundledTokenizer().check(probes, writer: "") }
    }
}
