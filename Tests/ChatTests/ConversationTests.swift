import Chat
import ChatTemplates
import Generation
import Inference
import Kernels
import ModelFiles
import StrictJSON
import Testing
import Tokenization

/// Conversations with the bundled model. It was not trained on them, so that every format reads as plain text to it.
@Suite struct ConversationTests {
    private func conversation(_ format: String = "vicuna", system: String? = nil, context: Int = 512, maximum: Int = 24) throws -> Conversation {
        let (model, tokenizer) = try ChatModel.shared.get()
        let session = try LlamaSession(
            model: model, context: context, batch: 64, element: .f32, kernels: KernelSet.selected(), pool: WorkerPool(threads: 1))
        let format = try #require(ChatFormat.builtIn(format))
        var options = AnswerOptions()
        options.maximum = maximum
        return Conversation(
            generator: TextGenerator(session: session, tokenizer: tokenizer), prompt: ChatPrompt(format: format, tokenizer: tokenizer),
            transcript: Transcript(system: system), options: options)
    }

    private func ask(_ conversation: Conversation, _ question: String) throws -> Conversation.Turn {
        try conversation.answer(to: question, Conversation.Progress { _ in true })
    }

    /// From the second turn on only what is new is computed: the end of the answer, the question and the marks of the format.
    @Test(arguments: ["vicuna", "med42", "llama-2-chat", "plain"])
    func onlyNewTokensArePrefilled(format: String) throws {
        let conversation = try conversation(format, system: "Answer from the manual.")
        var known = 0
        for (index, question) in ["What does the command print?", "And when the file is not there?", "Which option changes that?", "Why?"].enumerated() {
            let turn = try ask(conversation, question)
            #expect(turn.summary.reason == .tokenLimit && turn.summary.ids.count == 24)
            let questionTokens = conversation.prompt.tokenizer.encode(question, addBOS: false, parseSpecial: false).count
            #expect(index == 0 || turn.summary.promptTokens <= questionTokens + 30, "turn \(index): \(turn.summary.promptTokens) tokens computed")
            // What was in the cache is still there, but for a word at its end that white space or a further token may have changed.
            #expect(turn.reused >= known - 4, "turn \(index): \(turn.reused) of \(known)")
            known = conversation.generator.tokens.count
            #expect(conversation.generator.session.cache.count == known)
        }
        #expect(conversation.transcript.turns.count == 8)
    }

    /// The tokens in the cache spell the conversation as the format renders it, whatever was reused.
    @Test(arguments: ["vicuna", "llama-2-chat", "med42", "plain"])
    func cacheSpellsTheConversation(format: String) throws {
        let conversation = try conversation(format)
        let tokenizer = conversation.prompt.tokenizer
        for question in ["The file", "Returns the number of", "Ünï 世界 <s> text"] { _ = try ask(conversation, question) }
        // As a fourth turn would begin.
        let ids = try conversation.prompt.ids(conversation.transcript.visible + [ChatMessage(role: .user, content: "x")])
        let common = tokenizer.commonText(conversation.generator.tokens, ids)
        #expect(common.first >= conversation.generator.tokens.count - 4)
        // Text that spells a control token is text.
        #expect(conversation.generator.tokens.filter { $0 == tokenizer.beginID }.count == (format == "llama-2-chat" ? 3 : 1))
    }

    /// The cached way gives what a computation from nothing gives, where the tokens are the same.
    @Test func reuseChangesNoAnswer() throws {
        let first = try conversation(maximum: 10)
        for question in ["The function returns", "An error is"] { _ = try ask(first, question) }
        let tokens = first.generator.tokens
        let turn = try ask(first, "The kernel")
        let fresh = try conversation(maximum: 10)
        let fed = turn.reused + turn.summary.promptTokens
        let all = Array(first.generator.tokens[..<fed])
        #expect(tokens.starts(with: all[..<turn.reused]))
        let summary = try fresh.generator.generate(prompt: all, maximum: 10, sampling: SamplingOptions(), ends: fresh.prompt.ends) { _ in true }
        #expect(summary.ids == turn.summary.ids)
    }

    @Test func oldestTurnsAreDroppedWhole() throws {
        let conversation = try conversation(system: "Keep this.", context: 200, maximum: 20)
        var dropped = 0
        for index in 0..<12 {
            let turn = try ask(conversation, "Question number \(index) about the file and its name")
            dropped += turn.dropped
            let visible = conversation.transcript.visible
            #expect(visible[0] == ChatMessage(role: .system, content: "Keep this."))
            #expect(visible.count % 2 == 1 && visible[1].role == .user)
            #expect(conversation.transcript.dropped == dropped * 2)
            #expect(conversation.generator.tokens.count <= 200)
            if turn.dropped > 0 { #expect(turn.reused + turn.summary.promptTokens <= 100) }
        }
        #expect(dropped >= 4 && conversation.transcript.turns.count == 24)
        // The last question is never dropped; what does not fit is refused, and nothing changes.
        let before = conversation.transcript
        let error = #expect(throws: ChatError.self) { try ask(conversation, String(repeating: "file name ", count: 200)) }
        #expect("\(error!)".contains("expected fewer than the context of 200") && conversation.transcript == before)
        #expect(try ask(conversation, "Still there").isKept)
    }

    @Test func answerThatFillsTheContextSaysSo() throws {
        let conversation = try conversation("plain", context: 100, maximum: 500)
        #expect(try ask(conversation, "The file").summary.reason == .contextFull)
        #expect(conversation.generator.tokens.count == 100)
        #expect(try ask(conversation, "The name").dropped == 1)
    }

    @Test func regenerateResetAndSystem() throws {
        let conversation = try conversation(maximum: 12)
        #expect(throws: ChatError.nothingToRegenerate) { try conversation.regenerate(Conversation.Progress { _ in true }) }
        let first = try ask(conversation, "The file")
        let again = try conversation.regenerate(Conversation.Progress { _ in true })
        // At temperature 0 it is the same; of the prompt only its last token is computed again.
        #expect(again.text == first.text && again.summary.promptTokens == 1 && conversation.transcript.turns.count == 2)
        conversation.options.sampling.temperature = 1.5
        let other = try conversation.regenerate(Conversation.Progress { _ in true })
        #expect(other.text != first.text)
        conversation.setSystem("Short.")
        #expect(try ask(conversation, "And").reused < 5)
        conversation.reset()
        #expect(conversation.transcript.turns.isEmpty && conversation.transcript.system == "Short.")
        let kept = conversation.generator.tokens
        #expect(!kept.isEmpty && kept.count < 16, "only the system message's tokens stay")
    }

    @Test func interruptedAnswers() throws {
        let conversation = try conversation(maximum: 30)
        let before = try conversation.answer(to: "The file", Conversation.Progress(prefilled: { _ in false }) { _ in true })
        #expect(!before.isKept && conversation.transcript.turns.isEmpty && before.summary.reason == .interrupted)
        var texts = 0
        let cut = try conversation.answer(to: "The file", Conversation.Progress { _ in
            texts += 1
            return texts < 5
        })
        #expect(cut.isKept && cut.summary.reason == .interrupted && cut.summary.ids.count < 30)
        #expect(conversation.transcript.turns.map(\.role) == [.user, .assistant] && conversation.transcript.turns[1].content == cut.text)
        #expect(try ask(conversation, "And").reused >= cut.summary.ids.count)
    }

    @Test func stopStringsLeaveTheCacheUsable() throws {
        let conversation = try conversation(maximum: 60)
        let whole = try ask(conversation, "This function returns the number of")
        let word = try #require(whole.text.split(separator: " ").dropFirst(3).first)
        conversation.reset()
        conversation.options.stop = [String(word)]
        let cut = try ask(conversation, "This function returns the number of")
        #expect(cut.summary.reason == .stopString && !cut.text.contains(word) && whole.text.hasPrefix(cut.text))
        let next = try ask(conversation, "And")
        #expect(next.reused >= cut.summary.ids.count)
    }
}

@Suite struct CommonTextTests {
    @Test func textMayBeCutInOtherWays() throws {
        let tokenizer = try ChatModel.shared.get().tokenizer
        func ids(_ text: String) -> [Int32] { tokenizer.encode(text, addBOS: true, parseSpecial: true) }
        let canonical = ids("The file name is not available")
        // The same text, one character per token where there is one.
        let single = [tokenizer.beginID!] + " The file name".unicodeScalars.map { scalar -> Int32 in tokenizer.id(of: scalar == " " ? Array("\u{2581}".utf8) : Array(String(scalar).utf8))! }
        let common = tokenizer.commonText(single, canonical)
        #expect(common.first == single.count)
        #expect(tokenizer.decode(canonical[..<common.second], style: .sentencePiece) == "The file name")
        #expect(tokenizer.commonText(canonical, single).second == single.count)
        #expect(tokenizer.commonText(canonical, canonical) == (canonical.count, canonical.count))
        #expect(tokenizer.commonText([Int32](), canonical) == (0, 0))
        // A control token is not the text that spells it.
        let asText = tokenizer.encode("a</s>b", addBOS: true, parseSpecial: false), asToken = tokenizer.encode("a</s>b", addBOS: true, parseSpecial: true)
        #expect(tokenizer.commonText(asText, asToken) == (2, 2))
        // A boundary inside a token is none.
        #expect(tokenizer.decode(canonical[..<tokenizer.commonText(ids("The filed"), canonical).second], style: .sentencePiece) == "The")
    }
}

@Suite struct TranscriptTests {
    private func transcript() -> Transcript {
        var transcript = Transcript(system: "Be short.\n\"Quoted\"")
        transcript.turns = [
            ChatMessage(role: .user, content: "a\u{0}b 世界"), ChatMessage(role: .assistant, content: ""), ChatMessage(role: .user, content: "c"),
            ChatMessage(role: .assistant, content: " d\n"),
        ]
        transcript.dropped = 2
        return transcript
    }

    @Test func documentsReadBack() throws {
        for value in [transcript(), Transcript(), Transcript(system: "")] {
            #expect(try Transcript(document: JSONReader.read(value.document.text(pretty: true))) == value)
        }
        #expect(transcript().visible.map(\.content) == ["Be short.\n\"Quoted\"", "c", " d\n"])
    }

    @Test(arguments: [
        ("{}", "this is no saved conversation: \"format\" is not \"quern-conversation\"; give a file made with /save"),
        ("[]", "this is no saved conversation: \"format\" is not \"quern-conversation\"; give a file made with /save"),
        (#"{"format":"quern-conversation","version":2}"#, "\"version\" is 2, this program reads version 1; use the program that wrote it"),
        (#"{"format":"quern-conversation","version":1}"#, "\"messages\": expected an array"),
        (#"{"format":"quern-conversation","version":1,"messages":[{"content":"a"}]}"#, "message 1: \"role\" is missing, expected \"system\", \"user\" or \"assistant\""),
        (#"{"format":"quern-conversation","version":1,"messages":[{"role":"user","content":7}]}"#, "message 1: \"content\" is no text, expected text"),
        (#"{"format":"quern-conversation","version":1,"messages":[{"role":"assistant","content":"a"}]}"#, "message 1 is the assistant's, expected the user's: they take turns"),
        (#"{"format":"quern-conversation","version":1,"messages":[{"role":"user","content":"a"}]}"#, "the last message is the user's, expected the assistant's; remove it, and ask it again"),
        (#"{"format":"quern-conversation","version":1,"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"system","content":"c"}]}"#, "message 3 is the system's, which may only be the first"),
        (#"{"format":"quern-conversation","version":1,"messages":[],"dropped":2}"#, "\"dropped\" is 2, expected an even number within 0 ... 0"),
    ])
    func brokenDocuments(text: String, message: String) throws {
        let error = #expect(throws: ChatError.self) { try Transcript(document: JSONReader.read(text)) }
        #expect("\(error!)" == message)
    }
}

@Suite struct SlashCommandTests {
    @Test(arguments: [
        ("hello", SlashCommand.message("hello")), ("//etc/passwd", .message("/etc/passwd")), (" /help", .message(" /help")), ("/help", .help), ("/help ", .help),
        ("/system", .system), ("/system  Be short. ", .setSystem("Be short.")), ("/system off", .setSystem(nil)), ("/reset", .reset), ("/save a b.json", .save("a b.json")),
        ("/load x", .load("x")), ("/regenerate", .regenerate), ("/stats", .stats), ("/params", .parameters), ("/params top-k 40", .setParameter(name: "top-k", value: "40")),
        ("/exit", .exit), ("/quit", .exit), ("/reset now", .mistake("/reset takes nothing after it, found 'now'")), ("/save", .mistake("/save needs the name of a file")),
        ("/params a", .mistake("/params takes a name and a value, like '/params temperature 0.7', or nothing")),
        ("/sys", .mistake("there is no command /sys; did you mean /system? (/help lists the commands; begin with // to send a message that begins with /)")),
    ])
    func lines(line: String, command: SlashCommand) { #expect(SlashCommand(line) == command) }

    @Test func parameters() {
        var options = AnswerOptions()
        for (name, value) in [("temperature", "0.7"), ("top-k", "40"), ("top-p", "0.9"), ("min-p", "0.05"), ("seed", "7"), ("max-tokens", "99"), ("typical-p", "0.9"), ("repetition-penalty", "1.1"), ("frequency-penalty", "-0.5"), ("presence-penalty", "0.5"), ("dry-multiplier", "0.8")] {
            #expect(options.set(name, value) == nil)
            #expect(options.parameters.first { $0.name == name }?.value == value)
        }
        for (name, value) in [("temperature", "-1"), ("temperature", "nan"), ("top-k", "x"), ("top-p", "0"), ("min-p", "2"), ("seed", "-1"), ("max-tokens", "0"), ("colour", "1"), ("repetition-penalty", "0"), ("presence-penalty", "inf"), ("dry-multiplier", "nan")] {
            #expect(options.set(name, value)?.contains(name) == true)
        }
    }
}
