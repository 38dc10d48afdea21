import Architectures
import ArgumentParser
import Conversion
import Generation
import Glibc
import HostFacts
import Inference
import Kernels
import LineEditing
import Tokenization

struct RunCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Continues a prompt with a .quern file's model.",
        discussion: """
            The text goes to standard output as it is produced, everything else to standard error. At temperature 0, the default, the \
            likeliest token is taken each time: the same file and prompt give the same text for any number of threads.

            \(SamplingArguments.discussion) --n gives several answers to one prompt, which is computed once, with the seeds S, S+1, ...

            --speculate drafts tokens by looking up how the last one to three tokens went on earlier in prompt and answer, and verifies up to N \
            of them in one pass over the weights. The text is the one without it, token for token, at any temperature; where text repeats \
            itself or its prompt (code, tables, summaries, quotations) it comes faster. Drafts get shorter, or stop, where they do not pay.

            With --chat the prompt is a question, and what the model gets is the text that it was trained on: system message, question and the \
            beginning of the answer, by the checkpoint's own template or a built-in format ('quern inspect' shows which). Special tokens in \
            the question stay text. 'quern chat' holds a conversation.

            --session keeps what the model computed for prompt and answer in a file. Of a prompt that begins like what the file holds, only \
            the rest is computed. The file belongs to one .quern file and one --kv, tells what was said, and is readable by its owner alone.

            \(ExitCodes.help)
            """)

    @Argument(help: "The .quern file.", completion: .file(extensions: ["quern"])) var file: String
    @Option(name: [.short, .long], help: "The text to continue.") var prompt: String?
    @Option(help: "A file with the text to continue; - is standard input, which is also read when no prompt is given and it is no terminal.")
    var promptFile: String?
    @Option(name: [.customShort("n"), .long], help: "Stop after this many tokens.") var maxTokens = 256
    @Option(name: .customLong("n"), help: "Give N answers, each after a line that says which; needs a temperature above 0.") var answers = 1
    @Option(help: "Stop before this text; may be given several times.") var stop: [String] = []
    @OptionGroup var decoding: DecodingOptions
    @Option(help: "Keep the computed state of prompt and answer in this file, and use what it holds.", completion: .file(extensions: ["qses"]))
    var session: String?
    @OptionGroup var chatting: SingleTurnOptions
    @Flag(help: "Do not stop at the end-of-text token.") var ignoreEnd = false
    @Flag(help: "Do not put the begin token before the prompt.") var noBos = false
    @Flag(help: "Read special tokens such as </s> in the prompt as tokens.") var special = false
    @Flag(name: [.short, .long], help: "Say which instruction set, threads and seed are used.") var verbose = false
    @OptionGroup(title: "Sampling options") var sampling: SamplingArguments
    @OptionGroup var running: RunningOptions

    func validate() throws {
        if prompt != nil && promptFile != nil { throw ValidationError("Give --prompt or --prompt-file, not both.") }
        if !(1...1000).contains(answers) { throw ValidationError("--n must be within 1...1000.") }
        if answers > 1 && sampling.temperature == 0 {
            throw ValidationError("--n needs --temperature above 0: at 0 all answers are the same.")
        }
        if answers > 1 && session != nil { throw ValidationError("Give --n or --session, not both: a session holds one answer.") }
        if chatting.chat && (special || noBos) { throw ValidationError("--special and --no-bos are for plain prompts; a chat format decides both.") }
        if maxTokens < 1 { throw ValidationError("--max-tokens must be at least 1.") }
    }

    func run() throws {
        try ErrorPresentation.run {
            let running = try RunningModel(path: file, options: self.running)
            let text = try InputText.read(prompt: prompt, file: promptFile)
            guard !text.isEmpty else {
                throw ConversionError("prompt: empty, expected text to continue; give it with --prompt, --prompt-file or on standard input")
            }
            let tokenizer = running.tokenizer
            let turn = try chatting.turn(text, running, isVerbose: verbose)
            let ids = turn?.ids ?? tokenizer.encode(text, addBOS: tokenizer.addsBegin && !noBos, parseSpecial: special)
            let context = try ContextChoice(requested: decoding.context, configuration: running.model.configuration).positions
            guard ids.count < context else {
                throw ConversionError("prompt: \(ids.count) tokens, expected fewer than the context of \(context); shorten it or raise --context")
            }
            var sampling = try self.sampling.options(vocabulary: running.model.shape.vocabulary)
            if verbose {
                for note in tokenizer.notes { Terminal.note(note) }
                Terminal.note(
                    "kernels \(running.kernels.name), \(running.pool.threads) threads, context \(context), cache \(running.element), prompt \(ids.count) tokens"
                        + (sampling.temperature > 0 ? ", seed \(sampling.seed)" : ""))
            }
            let session = try running.session(context: context, logitRows: decoding.draft + 1) { if verbose { Terminal.note($0) } }
            let kept = try self.session.map { try KeptSession(path: $0, restoring: session) }
            let generator = TextGenerator(session: session, tokenizer: tokenizer, tokens: kept?.tokens ?? [])
            for answer in 1...answers {
                if answers > 1 { _ = try OutputText.write("\(answer > 1 ? "\n" : "")--- answer \(answer), seed \(sampling.seed)\n") }
                // All but the last token of the prompt is in the cache from the second answer on.
                let reused = generator.reuse(for: ids)
                if let kept {
                    Terminal.note(
                        kept.tokens.isEmpty ? "session: new, \(ids.count) prompt tokens to compute"
                            : "session: \(reused) of \(ids.count) prompt tokens reused of the \(kept.tokens.count) in \(kept.path)")
                }
                let (summary, failure) = try write(Array(ids[reused...]), sampling, generator, turn)
                // What was computed stays, even where the text could not be written.
                try kept?.save(generator)
                if let failure { throw failure }
                showSpeed(summary)
                if verbose && summary.decodedTokens > 0 && answer == answers {
                    if let stream = session.weightStream { Self.showStreaming(stream, summary) } else { showBandwidth(running, summary) }
                }
                if summary.reason == .interrupted { break }
                sampling.seed &+= 1
            }
        }
    }

    /// Writes one answer as it comes, until the output cannot be written.
    private func write(
        _ prompt: [Int32], _ sampling: SamplingOptions, _ generator: TextGenerator, _ turn: SingleTurnOptions.Turn?
    ) throws -> (summary: TextGenerator.Summary, failure: (any Error)?) {
        let isTerminal = isatty(STDOUT_FILENO) == 1
        var failure: (any Error)?
        let summary = try generator.generate(
            prompt: prompt, maximum: maxTokens, sampling: sampling, ends: turn?.ends, stop: stop + (turn?.stopStrings ?? []),
            ignoresEnd: ignoreEnd, speculate: decoding.draft
        ) { text in
            // A model must not steer a terminal.
            do { return try OutputText.write(isTerminal ? VisibleText.escaped(text) : text) } catch {
                failure = error
                return false
            }
        }
        if failure == nil { do { _ = try OutputText.write("\n") } catch { failure = error } }
        return (summary, failure)
    }

    private func showSpeed(_ summary: TextGenerator.Summary) {
        Terminal.note(
            "\(summary.promptTokens) prompt \(summary.promptTokens == 1 ? "token" : "tokens") at \(Self.speed(summary.prefillSpeed)) tok/s, \(summary.ids.count) generated at "
                + "\(Self.speed(summary.decodeSpeed)) tok/s (\(summary.reason.rawValue))" + Self.speculation(summary))
    }
}

extension RunCommand {
    /// A model that is read from disk for each token makes a few hundredths of a token per second.
    private static func speed(_ value: Double) -> String { Quantities.fixed(value, value < 1 ? 3 : 1) }

    /// What drafting came to, for the closing line.
    private static func speculation(_ summary: TextGenerator.Summary) -> String {
        guard let lookup = summary.lookup else { return "" }
        guard lookup.drafted > 0 else { return "; nothing drafted" }
        return "; \(lookup.accepted) of \(lookup.drafted) drafted tokens right (\(Quantities.fixed(lookup.acceptance * 100, 0)) %), "
            + "\(Quantities.fixed(Double(summary.decodedTokens) / Double(max(summary.decodePasses, 1)), 2)) tokens per pass"
    }

    /// Where weights come from disk, its speed bounds everything.
    private static func showStreaming(_ stream: WeightStream, _ summary: TextGenerator.Summary) {
        let bytes = Double(stream.plan.streamedBytes) * Double(summary.decodePasses)
        let seconds = summary.decode / .seconds(1)
        Terminal.note(
            "\(Quantities.fixed(seconds / Double(max(summary.decodePasses, 1)), 2)) s per pass, each with \(Quantities.bytes(UInt64(stream.plan.streamedBytes))) "
                + "from disk: \(Quantities.fixed(bytes / max(seconds, 1e-9) / 1e9, 2)) GB/s")
    }

    /// Decoding reads every weight once per pass, so the memory's speed bounds it.
    private func showBandwidth(_ running: RunningModel, _ summary: TextGenerator.Summary) {
        let bytes = Double(ReadBandwidth.bytesPerToken(running.model))
        let limit = ReadBandwidth.measure(running.model, pool: running.pool, runs: bytes < 8e9 ? 3 : 1)
        let reached = TextGenerator.Summary.perSecond(summary.decodePasses, summary.decode) * bytes
        Terminal.note(
            "decoding read \(Quantities.fixed(reached / 1e9, 1)) GB/s of weights, \(Quantities.fixed(reached / limit * 100, 0)) % of the "
                + "\(Quantities.fixed(limit / 1e9, 1)) GB/s at which these threads read the same bytes and do nothing else")
    }
}

/// Text that the user gives.
enum InputText {
    private static let largest = 64 << 20

    /// The prompt's bytes: from the option, the file, or standard input.
    static func read(prompt: String?, file: String?) throws -> [UInt8] {
        if let prompt { return Array(prompt.utf8) }
        if let file, file != "-" { return try readFile(file) }
        if file == nil && isatty(STDIN_FILENO) == 1 { return [] }
        return try readStandardInput()
    }

    static func readStandardInput() throws -> [UInt8] {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = Glibc.read(STDIN_FILENO, &buffer, buffer.count)
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw ConversionError("standard input: cannot be read: error \(errno)") }
            if count == 0 { return bytes }
            bytes += buffer[..<count]
            guard bytes.count <= largest else { throw ConversionError("standard input: more than \(largest) bytes") }
        }
    }
}

/// Text for the user, on standard output at once.
enum OutputText {
    /// False when nobody reads any more; throws when the text cannot be kept, on a full disk for example.
    static func write(_ text: String) throws -> Bool {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { Glibc.write(STDOUT_FILENO, $0.baseAddress!, $0.count) }
            if count < 0 && errno == EINTR { continue }
            if count < 0 && errno == EPIPE { return false }
            guard count > 0 else { throw ConversionError("standard output: cannot write: \(String(cString: strerror(errno)))") }
            bytes = bytes.dropFirst(count)
        }
        return true
    }
}
