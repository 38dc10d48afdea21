import Chat
import ChatTemplates
import Conversion
import Generation
import Glibc
import LineEditing

/// Reads messages and commands, and shows answers, until the input ends.
struct ChatLoop {
    let conversation: Conversation
    let isTerminal: Bool
    /// Says after each answer what it took.
    let isVerbose: Bool
    private var statistics = ChatStatistics()

    init(conversation: Conversation, isTerminal: Bool, isVerbose: Bool) {
        (self.conversation, self.isTerminal, self.isVerbose) = (conversation, isTerminal, isVerbose)
    }

    mutating func run(_ input: inout some ChatInput) throws {
        while RawTerminal.endingSignal == nil, let line = try input.next() {
            // In a pipe every line is a message, whatever it begins with: it may be anyone's data.
            let command = isTerminal ? SlashCommand(line) : .message(line)
            if command == .exit { return }
            do { try obey(command) } catch let error as ChatEnd { throw error } catch {
                // One wrong message or name of a file does not end a conversation at a terminal.
                guard isTerminal else { throw error }
                Terminal.note("\(error)")
            }
        }
    }

    private mutating func obey(_ command: SlashCommand) throws {
        switch command {
        case .message(let text): if !text.allSatisfy(\.isWhitespace) { try answer { try $0.answer(to: text, $1) } }
        case .regenerate:
            if conversation.options.sampling.temperature == 0 { Terminal.note("at temperature 0 the answer is the same each time; '/params temperature 0.7' changes that") }
            try answer { try $0.regenerate($1) }
        case .help:
            for (name, arguments, help) in SlashCommand.table { show(Self.padded(arguments.isEmpty ? name : "\(name) \(arguments)", 22) + help) }
            show("A line that ends with \\ goes on in the next one. Control-C stops an answer.")
        case .system: show(conversation.transcript.system.map { "system message: \($0)" } ?? "no system message")
        case .setSystem(let text):
            conversation.setSystem(text)
            show(text == nil ? "the system message is gone from the next answer on" : "the system message holds from the next answer on")
        case .reset:
            conversation.reset()
            show("the conversation is forgotten" + (conversation.transcript.system == nil ? "" : "; the system message stays"))
        case .save(let name):
            let path = Self.expanded(name)
            try ConversationFiles.save(conversation.transcript, to: path)
            show("saved to \(path): \(Self.count(conversation.transcript.turns.count, "message"))")
        case .load(let name):
            let path = Self.expanded(name)
            let transcript = try ConversationFiles.load(path)
            conversation.replace(with: transcript)
            show("loaded \(path): \(Self.count(transcript.turns.count, "message"))")
            if let last = transcript.turns.last { show("the last answer was:\n\(last.content)") }
        case .stats: for line in statistics.lines(conversation) { show(line) }
        case .parameters: for (name, value) in conversation.options.parameters { show(Self.padded(name, 20) + value) }
        case .setParameter(let name, let value):
            if let problem = conversation.options.set(name, value) { Terminal.note(problem) } else { show("\(name) is \(value)") }
        case .mistake(let text): Terminal.note(text)
        case .exit: break
        }
    }

    /// No shell does it here.
    private static func expanded(_ path: String) -> String {
        guard path.hasPrefix("~/"), let home = getenv("HOME") else { return path }
        return String(cString: home) + path.dropFirst()
    }

    /// Only in a terminal, where commands are.
    private func show(_ text: String) { Terminal.note(text) }

    private static func padded(_ text: String, _ width: Int) -> String { text + String(repeating: " ", count: max(1, width - text.count)) }
    static func count(_ number: Int, _ what: String) -> String { "\(number) \(what)\(number == 1 ? "" : "s")" }

    private mutating func answer(_ body: (Conversation, Conversation.Progress) throws -> Conversation.Turn) throws {
        var output = AnswerOutput(isTerminal: isTerminal)
        let turn: Conversation.Turn
        do {
            turn = try body(conversation, Conversation.Progress(begins: { dropped, reused, count in
                if dropped > 0 {
                    Terminal.note(
                        dropped == 1 ? "the context is full: the oldest question and its answer are not seen by the model any more"
                            : "the context is full: the \(dropped) oldest questions and their answers are not seen by the model any more")
                }
                output.prefillBegins(count)
            }, prefilled: { done in
                output.prefilled(done)
                return !RawTerminal.isInterrupted
            }, text: { output.write($0) && !RawTerminal.isInterrupted }))
        } catch {
            output.finish()
            throw error
        }
        output.finish()
        if let failure = output.failure { throw failure }
        statistics.add(turn)
        if let note = Self.note(turn, conversation) { Terminal.note(note) }
        if isVerbose { Terminal.note(ChatStatistics.line(turn)) }
        _ = RawTerminal.takeInterrupt()
    }

    /// What the reader of an answer must know about its end.
    private static func note(_ turn: Conversation.Turn, _ conversation: Conversation) -> String? {
        switch turn.summary.reason {
        case .contextFull: "[the answer was cut: the context of \(conversation.context) is full]"
        case .tokenLimit: "[the answer was cut after \(count(turn.summary.ids.count, "token")), the limit (max-tokens)]"
        case .interrupted: turn.isKept ? "[stopped]" : "[stopped before the answer; the question is forgotten]"
        case .endOfText, .stopString: nil
        }
    }
}

/// Writes an answer as it comes.
struct AnswerOutput {
    let isTerminal: Bool
    /// Why it cannot be written.
    private(set) var failure: (any Error)?
    private var hasText = false
    private var progressShown = false
    private var toPrefill = 0
    private let start = ContinuousClock.now

    init(isTerminal: Bool) { self.isTerminal = isTerminal }

    mutating func prefillBegins(_ count: Int) { toPrefill = count }

    /// A line that goes away with the first text, where reading takes a while.
    mutating func prefilled(_ done: Int) {
        guard isTerminal, Terminal.errorIsTerminal, done < toPrefill, progressShown || ContinuousClock.now - start > .seconds(0.5) else { return }
        Terminal.write("\r\u{1B}[K(reading, \(done) of \(toPrefill) tokens)")
        progressShown = true
    }

    /// False when nobody reads.
    mutating func write(_ text: String) -> Bool {
        var text = Substring(text)
        // Models begin with the space that separates words.
        if !hasText { text = text.drop(while: \.isWhitespace) }
        guard !text.isEmpty else { return true }
        clearProgress()
        hasText = true
        return put(isTerminal ? VisibleText.escaped(String(text)) : String(text))
    }

    private mutating func put(_ text: String) -> Bool {
        do {
            if try OutputText.write(text) { return true }
            failure = ChatEnd.outputClosed
        } catch { failure = error }
        return false
    }

    private mutating func clearProgress() {
        if progressShown { Terminal.write("\r\u{1B}[K") }
        progressShown = false
    }

    mutating func finish() {
        clearProgress()
        if failure == nil, hasText || !isTerminal { _ = put("\n") }
    }
}

/// What the answers of a chat took.
struct ChatStatistics {
    private var last: Conversation.Turn?
    private var answers = 0, generated = 0, computed = 0, reused = 0

    mutating func add(_ turn: Conversation.Turn) {
        last = turn
        answers += 1
        generated += turn.summary.ids.count
        computed += turn.summary.promptTokens
        reused += turn.reused
    }

    static func line(_ turn: Conversation.Turn) -> String {
        let summary = turn.summary
        func speed(_ value: Double) -> String { Quantities.fixed(value, value < 1 ? 3 : 1) }
        return "\(summary.promptTokens) prompt tokens computed at \(speed(summary.prefillSpeed)) tok/s, \(turn.reused) reused; \(summary.ids.count) generated at "
            + "\(speed(summary.decodeSpeed)) tok/s (\(summary.reason.rawValue))"
    }

    func lines(_ conversation: Conversation) -> [String] {
        let transcript = conversation.transcript
        var lines = ["context         \(conversation.generator.tokens.count) of \(conversation.context) tokens"]
        lines.append(
            "conversation    \(ChatLoop.count(transcript.turns.count / 2, "question"))"
                + (transcript.dropped > 0 ? ", the oldest \(transcript.dropped / 2) not seen by the model" : ""))
        lines.append("this program    \(ChatLoop.count(answers, "answer")), \(generated) tokens generated, \(computed) prompt tokens computed, \(reused) reused")
        if let last { lines.append("last answer     \(Self.line(last))") }
        return lines
    }
}
