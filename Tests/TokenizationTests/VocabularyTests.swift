import Testing
import Tokenization

/// Small models written byte by byte, so that each rule can be broken alone.
struct ModelWriter {
    var pieces: [(text: [UInt8], score: Float, kind: UInt8)] = [(Array("<unk>".utf8), 0, 2)]
    var algorithm: UInt8 = 2
    var byteFallback = true
    var removesExtraWhitespace = false
    var characterMap: [UInt8] = []

    mutating func add(_ text: String, _ score: Float = 0, kind: UInt8 = 1) { pieces.append((Array(text.utf8), score, kind)) }

    mutating func addBytes() {
        for byte in 0 ... 255 {
            let digits = String(byte, radix: 16, uppercase: true)
            add("<0x\(byte < 16 ? "0" : "")\(digits)>", kind: 6)
        }
    }

    private func field(_ number: UInt8, _ content: [UInt8]) -> [UInt8] {
        var length = content.count
        var result: [UInt8] = [number << 3 | 2]
        while length > 127 {
            result.append(UInt8(length & 127) | 128)
            length >>= 7
        }
        return result + [UInt8(length)] + content
    }

    var bytes: [UInt8] {
        var result: [UInt8] = []
        for piece in pieces {
            var score: [UInt8] = []
            for shift in [0, 8, 16, 24] as [UInt32] { score.append(UInt8(truncatingIfNeeded: piece.score.bitPattern >> shift)) }
            result += field(1, field(1, piece.text) + [0x15] + score + [0x18, piece.kind])
        }
        result += field(2, [0x18, algorithm, 0x98, 0x02, byteFallback ? 1 : 0])
        return result + field(3, field(2, characterMap) + [0x18, 1, 0x20, removesExtraWhitespace ? 1 : 0, 0x28, 1])
    }

    func load(size: Int = 4096) throws -> Tokenizer {
        try Tokenizer(files: TokenizerFiles(model: bytes, vocabularySize: size))
    }
}

@Suite struct VocabularyTests {
    private func model(_ change: (inout ModelWriter) -> Void) -> ModelWriter {
        var writer = ModelWriter()
        writer.addBytes()
        change(&writer)
        return writer
    }

    private func failure(_ change: (inout ModelWriter) -> Void, size: Int = 4096) -> String {
        do {
            _ = try model(change).load(size: size)
            return "no error"
        } catch { return "\(error)" }
    }

    @Test func messages() {
        let again = "fetch the file again from where the model comes from"
        let cannot = "this tokenizer cannot be used with this version"
        #expect(failure { $0.add("a"); $0.add("a") }
            == "tokenizer.model: piece 258: expected a text that no other piece has, found 'a', which is also piece 257; \(again)")
        #expect(failure { $0.add("") } == "tokenizer.model: piece 257: expected a text, found an empty one; \(again)")
        #expect(failure { $0.add("a\0") }
            == "tokenizer.model: piece 257: expected a text without NUL, found 'a\\u{0}'; \(again)")
        #expect(failure { $0.add(String(repeating: "a", count: 8000)) }
            == "tokenizer.model: piece 257: expected fewer than 8000 bytes, found 8000 bytes; \(again)")
        #expect(failure { $0.add("<u>", kind: 2) }
            == "tokenizer.model: pieces: expected one piece of kind UNKNOWN, found 2; \(again)")
        #expect(failure { $0.add("x", kind: 7) } == "tokenizer.model: piece 257: expected a kind from 1 to 6, found 7; \(again)")
        #expect(failure { $0.add("x", .nan) } == "tokenizer.model: piece 257: expected a finite score, found nan; \(again)")
        #expect(failure { $0.add("<0x-1>", kind: 6) }
            == "tokenizer.model: piece 257: expected a BYTE piece of the form <0xHH> with two upper-case digits, "
                + "found '<0x-1>'; \(again)")
        #expect(failure { $0.pieces.removeLast() }
            == "tokenizer.model: pieces: expected a BYTE piece for each of 256 bytes, because byte_fallback is set, "
                + "found 255; \(again)")
        #expect(failure { $0.byteFallback = false }
            == "tokenizer.model: piece 1: expected no BYTE piece, because byte_fallback is not set, found '<0x00>'; \(again)")
        #expect(failure { $0.algorithm = 1 }
            == "tokenizer.model: trainer_spec.model_type: expected 2 (BPE), found 1 (UNIGRAM); \(cannot)")
        #expect(failure { $0.removesExtraWhitespace = true }
            == "tokenizer.model: normalizer_spec.remove_extra_whitespaces: expected false, found true; \(cannot)")
        #expect(failure { $0.characterMap = [0xFF] }
            == "tokenizer.model: normalizer_spec.precompiled_charsmap: expected no character map (identity), "
                + "found a map named ''; \(cannot)")
        #expect(failure({ _ in }, size: 100)
            == "tokenizer.model: pieces: expected at most 100, config.json's vocab_size, found 257; "
                + "use the tokenizer that belongs to this model")
    }

    @Test func equivalentPiecesAreTwoPieces() throws {
        let tokenizer = try model {
            $0.add("▁"); $0.add("\u{3AC}"); $0.add("\u{1F71}")
        }.load()
        #expect(tokenizer.encode("\u{3AC}\u{1F71}", addBOS: false, parseSpecial: false) == [257, 258, 259])
    }

    @Test func higherScoreFirstThenLeft() throws {
        let tokenizer = try model {
            for text in ["▁", "a", "b", "aa", "ab"] { $0.add(text, text.utf8.count == 2 ? (text == "ab" ? -1 : -2) : -9) }
        }.load()
        #expect(tokenizer.encode("aaab", addBOS: false, parseSpecial: false) == [257, 260, 261])
        #expect(tokenizer.encode("aaa", addBOS: false, parseSpecial: false) == [257, 260, 258])
    }

    @Test func userDefinedPiecesAreFrozenAndLongestFirst() throws {
        let tokenizer = try model {
            for text in ["▁", "a", "b", "ab"] { $0.add(text, -1) }
            $0.add("bb", kind: 4); $0.add("bbb", kind: 4)
        }.load()
        #expect(tokenizer.encode("abbbab", addBOS: false, parseSpecial: false) == [257, 258, 262, 260])
    }

    @Test func unusedPiecesAreSplitAgain() throws {
        let tokenizer = try model {
            for text in ["▁", "a", "b"] { $0.add(text, -5) }
            $0.add("ab", -1, kind: 5); $0.add("abab", -2)
        }.load()
        #expect(tokenizer.encode("ab", addBOS: false, parseSpecial: false) == [257, 258, 259])
        #expect(tokenizer.encode("abab", addBOS: false, parseSpecial: false) == [257, 261])
    }

    @Test func withoutByteFallbackUnknownCharactersJoin() throws {
        var writer = ModelWriter()
        writer.byteFallback = false
        writer.add("▁"); writer.add("a")
        #expect(try writer.load().encode("aéüa", addBOS: false, parseSpecial: false) == [1, 2, 0, 2])
    }
}
