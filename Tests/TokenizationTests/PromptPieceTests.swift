import Testing
import Tokenization

@Suite struct PromptPieceTests {
    private func ids(_ pieces: [PromptPiece], _ tokenizer: Tokenizer) -> [Int32] { tokenizer.encode(pieces, addBOS: false) }
    private func trusted(_ text: String) -> PromptPiece { PromptPiece(text, isTrusted: true) }
    private func user(_ text: String) -> PromptPiece { PromptPiece(text, isTrusted: false) }

    @Test func piecesAreJoinedBeforeMerging() throws {
        let tokenizer = try TestFiles.bundledTokenizer()
        let whole = tokenizer.encode("The file</s>does not exist.", addBOS: false, parseSpecial: true)
        #expect(ids([trusted("The fi"), user("le"), trusted("</s>do"), user("es n"), user("ot exist"), trusted(".")], tokenizer) == whole)
        #expect(whole.contains(2))
        #expect(tokenizer.encode([user("")], addBOS: true) == [1])
        #expect(ids([], tokenizer) == [])
    }

    @Test func untrustedTextNeverSpellsAControlToken() throws {
        let tokenizer = try TestFiles.bundledTokenizer()
        let plain = tokenizer.encode("a</s>b", addBOS: false, parseSpecial: false)
        #expect(!plain.contains(2))
        for pieces in [
            [trusted("a"), user("</s>"), trusted("b")], [trusted("a</s"), user(">b")], [user("a<"), trusted("/s>b")],
            [trusted("a<"), user("/"), trusted("s>b")],
        ] {
            #expect(ids(pieces, tokenizer) == plain)
        }
        // Trusted pieces that touch are one text.
        #expect(ids([trusted("a</"), user(""), trusted("s>b")], tokenizer).contains(2))
    }

    @Test func noTokenReachesAcrossPieces() throws {
        let tokenizer = try Tokenizer(files: TokenizerFiles(
            model: TestFiles.bundledModel(), addedTokens: Array(#"{"x</s>": 4096, "xy": 4097}"#.utf8), vocabularySize: 4098))
        #expect(ids([user("x"), trusted("</s>")], tokenizer).last == 2)
        #expect(ids([user("x</s>")], tokenizer) == [4096])
        #expect(ids([trusted("x"), user("y")], tokenizer).contains(4097) == false)
        #expect(ids([user("x"), user("y")], tokenizer) == [4097])
    }

    @Test func textsOfRoles() throws {
        let tokenizer = try Tokenizer(files: TokenizerFiles(
            model: TestFiles.bundledModel(), configuration: Array(#"{"pad_token": {"content": "<pad>"}}"#.utf8),
            specialTokensMap: Array(#"{"pad_token": "<other>", "mask_token": "<mask>"}"#.utf8), vocabularySize: 4096))
        #expect(tokenizer.text(ofRole: "bos_token") == "<s>" && tokenizer.text(ofRole: "eos_token") == "</s>")
        #expect(tokenizer.text(ofRole: "unk_token") == "<unk>" && tokenizer.text(ofRole: "pad_token") == "<pad>")
        #expect(tokenizer.text(ofRole: "mask_token") == "<mask>" && tokenizer.text(ofRole: "sep_token") == nil)
        #expect(tokenizer.controlID(of: "</s>") == 2 && tokenizer.controlID(of: "the") == nil)
    }
}
