import ByteStorage
import Chat
import ChatTemplates
import Glibc
import Testing
import Tokenization

/// The tokens that a model gets for a conversation.
@Suite struct PromptIDTests {
    private static let root = "\(#filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3).joined(separator: "/"))"
    private static let shared = root + "/../shared/tokenizers/llama2/tokenizer.model"
    private static let isSharedPresent = access(shared, R_OK) == 0

    private static func read(_ path: String) throws -> [UInt8] { try ReadableFile(path: path).readAll(limit: 64 << 20) }

    /// What Hugging Face's tokenizer and SentencePiece make of the prompt on med42's model card, with LLaMA-2's vocabulary.
    @Test(.enabled(if: isSharedPresent, "skipped: ../shared/tokenizers with the real vocabularies is not beside the repository"))
    func med42sExamplePrompt() throws {
        let tokenizer = try Tokenizer(files: TokenizerFiles(model: Self.read(Self.shared), vocabularySize: 32000))
        let prompt = ChatPrompt(format: try #require(ChatFormat.builtIn("med42")), tokenizer: tokenizer)
        let ids = try prompt.ids([ChatMessage(role: .user, content: "What are the symptoms of diabetes ?")])
        #expect(ids == [
            1, 29871, 13, 29966, 29989, 5205, 29989, 23917, 887, 526, 263, 8444, 16083, 20255, 2825, 491, 341, 29946, 29906, 15202, 297, 278, 501, 16036, 29889,
            13, 29966, 29989, 14032, 29886, 357, 29989, 23917, 5618, 526, 278, 25828, 4835, 310, 652, 370, 10778, 1577, 13, 29966, 29989, 465, 22137, 29989, 23917, 13,
        ])
        #expect(prompt.ends == [2])
    }

    /// A token that a checkpoint added for its template ends an answer, although nothing marks it as a control token.
    @Test func unmarkedTokensEndAnswers() throws {
        let tokenizer = try Tokenizer(files: TokenizerFiles(
            model: Self.read(Self.root + "/Tests/Fixtures/tiny-docs/tokenizer.model"), addedTokens: Array(#"{"<end_of_turn>": 4096}"#.utf8), vocabularySize: 4097))
        let template = "{% for m in messages %}{{ m.content }}<end_of_turn>{% endfor %}"
        let prompt = ChatPrompt(format: try ChatFormat.choose(ChatFormatEvidence(templateFile: Array(template.utf8))).format, tokenizer: tokenizer)
        #expect(try prompt.ids([ChatMessage(role: .user, content: "x")]).last == 4096)
        #expect(tokenizer.controlID(of: "<end_of_turn>") == nil && prompt.ends == [2, 4096])
    }
}
