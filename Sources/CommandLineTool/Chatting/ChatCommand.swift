import ArgumentParser
import ByteStorage
import Chat
import ChatTemplates
import Conversion
import Generation
import Glibc
import Inference
import Kernels
import LineEditing
import ModelFiles
import StrictJSON
import Tokenization

struct ChatCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "chat", abstract: "A conversation with a .quern file's model.",
        discussion: """
            At a terminal: lines are edited as usual (arrows, Home, End, Control-A E K U W, Alt-B F D, history with up and down); a line that \
            ends with \\ goes on in the next one, and pasted lines are one message. Control-C stops an answer, Control-D at an empty prompt \
            ends. /help lists the commands. What the model writes cannot steer the terminal: control characters are shown, as \\u{1b}.

            In a pipe: each line of standard input is one message, whatever it begins with; empty lines are skipped. Standard output gets the \
            answers alone, each ended by a line break; everything else goes to standard error. Control-C ends the program, in order.

            Only what is new is computed at each turn. When the context is full, the oldest questions are dropped with their answers, never \
            the system message, and the program says so. An answer that is cut says so.

            What you type is kept in memory only, since it may be about patients. --history keeps it for the next chat, in \
            $XDG_STATE_HOME/quern/chat-history (~/.local/state/quern/chat-history), readable by you alone. --session keeps the conversation \
            and the computed state in a file when the chat ends, readable by you alone, and goes on from there the next time.

            \(SamplingArguments.discussion)

            \(ExitCodes.help)
            """)

    @Argument(help: "The .quern file.", completion: .file(extensions: ["quern"])) var file: String
    @Option(help: "System message.") var system: String?
    @Option(help: "Chat format: \(ChatFormat.builtInNames.joined(separator: ", ")), or template for the model's own. Default: what the model file says.")
    var chatFormat: String?
    @Option(name: [.customShort("n"), .long], help: "Tokens of an answer at most.") var maxTokens = 1024
    @Option(help: "End an answer before this text; may be given several times.") var stop: [String] = []
    @OptionGroup var decoding: DecodingOptions
    @Option(help: "Go on with the conversation in this file, and keep it there when the chat ends.", completion: .file(extensions: ["qses"]))
    var session: String?
    @Flag(inversion: .prefixedNo, help: "Keep the lines typed for the next chat.") var history = false
    @Flag(name: [.short, .long], help: "Say what is used, and what each answer took.") var verbose = false
    @OptionGroup(title: "Sampling options") var sampling: SamplingArguments
    @OptionGroup var running: RunningOptions

    func validate() throws {
        if !(1...(1 << 20)).contains(maxTokens) { throw ValidationError("--max-tokens must be within 1...1048576.") }
    }

    func run() throws {
        try ErrorPresentation.run {
            let isTerminal = RawTerminal.prepare()
            let running = try RunningModel(path: file, options: self.running)
            let chosen = try ErrorPresentation.naming(file) { try ChatFormat.choose(ChatFormatEvidence(modelFile: running.model.reader), asked: chatFormat) }
            let context = try ContextChoice(requested: decoding.context, configuration: running.model.configuration).positions
            let session = try running.session(context: context, batch: Self.batch(running, context), logitRows: decoding.draft + 1) { if verbose { Terminal.note($0) } }
            let kept = try self.session.map { try KeptSession(path: $0, restoring: session) }
            let conversation = try conversation(running, chosen, session, kept)
            if verbose || chosen.isByName { Terminal.note("chat format \(chosen.format.name): \(chosen.reason)") }
            if verbose {
                for note in running.tokenizer.notes { Terminal.note(note) }
                Terminal.note("kernels \(running.kernels.name), \(running.pool.threads) threads, context \(context), cache \(running.element), seed \(conversation.options.sampling.seed)")
            }
            let historyFile = isTerminal && history ? HistoryFile() : nil
            var loop = ChatLoop(conversation: conversation, isTerminal: isTerminal, isVerbose: verbose)
            RawTerminal.catchSignals(interruptEnds: !isTerminal)
            defer { RawTerminal.leave() }
            // What was said before it is kept all the same.
            var failure: (any Error)?
            do {
                if isTerminal {
                    Terminal.note("\(AtomicFileWriter.split(file).name), \(chosen.format.name), context \(context); /help lists the commands, Control-D ends")
                    var input = TerminalInput(history: try historyFile?.read() ?? History(), completions: SlashCommand.table.map(\.name))
                    do { try loop.run(&input) } catch is ChatEnd {}
                    RawTerminal.leave()
                    try historyFile?.write(input.history)
                } else {
                    var input = PipeInput()
                    try loop.run(&input)
                }
            } catch is ChatEnd {} catch { failure = error }
            RawTerminal.leave()
            if let kept {
                conversation.dropUnusedCache()
                try kept.save(conversation.generator, conversation: conversation.transcript.document)
                if isTerminal || verbose { Terminal.note("the conversation is kept in \(kept.path)") }
            }
            if let failure { throw failure }
            if let number = RawTerminal.endingSignal { throw ExitCode(128 + number) }
        }
    }

    private func conversation(
        _ running: RunningModel, _ chosen: ChosenChatFormat, _ session: LlamaSession, _ kept: KeptSession?
    ) throws -> Conversation {
        var options = AnswerOptions()
        options.sampling = try sampling.options(vocabulary: running.model.shape.vocabulary)
        options.maximum = maxTokens
        options.speculate = decoding.draft
        options.stop = stop
        var transcript = Transcript(system: system)
        if let document = kept?.conversation {
            do { transcript = try Transcript(document: document) } catch { throw ConversionError("\(kept!.path): conversation: \(error)") }
            if let system { transcript.system = system }
            Terminal.note("\(kept!.path): going on after \(ChatLoop.count(transcript.turns.count / 2, "question")), \(kept!.tokens.count) tokens computed before")
        } else if let kept, !kept.tokens.isEmpty {
            Terminal.note("\(kept.path): no conversation in it; a new one begins, which uses what its tokens have in common with it")
        }
        return Conversation(
            generator: TextGenerator(session: session, tokenizer: running.tokenizer, tokens: kept?.tokens ?? []),
            prompt: ChatPrompt(format: chosen.format, tokenizer: running.tokenizer), transcript: transcript, options: options)
    }

    /// Tokens per pass, fewer for large models: Control-C is heard between passes, and one of some 10^12 bytes x tokens takes a few seconds on
    /// a small machine. By the file's size alone, so that answers do not depend on the machine's speed.
    private static func batch(_ running: RunningModel, _ context: Int) -> Int {
        min(context, max(32, min(512, 1_000_000_000_000 / Int(running.model.reader.fileBytes) / 32 * 32)))
    }
}
