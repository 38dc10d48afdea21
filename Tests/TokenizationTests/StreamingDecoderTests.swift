import Testing
import Tokenization

@Suite struct StreamingDecoderTests {
    private func byte(_ value: UInt8, _ tokenizer: Tokenizer) throws -> Int32 {
        let digits = String(value, radix: 16, uppercase: true)
        return try #require(tokenizer.id(of: Array("<0x\(value < 16 ? "0" : "")\(digits)>".utf8)))
    }

    @Test func charactersAreHeldBackUntilWhole() throws {
        let tokenizer = try TestFiles.bundledTokenizer()
        var stream = StreamingDecoder(tokenizer, contextIsEmpty: true)
        let parts = try "🦙é".utf8.map { stream.append(try byte($0, tokenizer)) }
        #expect(parts == ["", "", "", "🦙", "", "é"])
        #expect(stream.finish() == "")
    }

    @Test func unfinishedBytesEndAsReplacements() throws {
        let tokenizer = try TestFiles.bundledTokenizer()
        var stream = StreamingDecoder(tokenizer, contextIsEmpty: true)
        #expect(stream.append(try byte(0xF0, tokenizer)) == "")
        #expect(stream.append(try byte(0x9F, tokenizer)) == "")
        #expect(stream.append(try byte(0x41, tokenizer)) == "\u{FFFD}\u{FFFD}A")
        #expect(stream.append(try byte(0xE2, tokenizer)) == "")
        #expect(stream.finish() == "\u{FFFD}")
        #expect(stream.finish() == "")
    }

    @Test func leadingSpaceDependsOnTheContext() throws {
        let tokenizer = try TestFiles.bundledTokenizer()
        let ids = tokenizer.encode("a b", addBOS: false, parseSpecial: false)
        var fresh = StreamingDecoder(tokenizer, contextIsEmpty: true)
        #expect(ids.map { fresh.append($0) }.joined() == "a b")
        var continued = StreamingDecoder(tokenizer, contextIsEmpty: false)
        #expect(ids.map { continued.append($0) }.joined() == " a b")
    }

    @Test func joinedOutputIsTheWholeText() throws {
        let tokenizer = try TestFiles.bundledTokenizer()
        var generator = Numbers(state: 7)
        for _ in 0 ..< 2000 {
            let ids = (0 ..< generator.next() % 12).map { _ in
                Int32(generator.next() % (generator.next() % 2 == 0 ? 260 : 4096))
            }
            var stream = StreamingDecoder(tokenizer, contextIsEmpty: true)
            let joined = ids.map { stream.append($0) }.joined() + stream.finish()
            #expect(Array(joined.utf8) == Array(tokenizer.decode(ids, style: .sentencePiece).utf8), "\(ids)")
        }
    }
}

/// Repeatable numbers for tests.
struct Numbers {
    var state: UInt64

    mutating func next() -> Int {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Int(state >> 33)
    }
}
