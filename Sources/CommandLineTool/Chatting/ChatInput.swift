import Conversion
import Glibc
import LineEditing

/// Where the lines of a chat come from.
protocol ChatInput {
    /// The next line; nil at the end, which a signal may bring too.
    mutating func next() throws -> String?
    var history: History { get }
}

/// A person at a terminal. When the terminal goes away, the chat ends as on a hang-up.
struct TerminalInput: ChatInput {
    private var editor: LineEditor

    init(history: History, completions: [String]) {
        let (width, height) = RawTerminal.size
        editor = LineEditor(prompt: "> ", width: width, height: height, history: history, completions: completions)
    }

    var history: History { editor.history }

    mutating func next() throws -> String? {
        try enter(.editing)
        _ = RawTerminal.takeInterrupt()
        while true {
            // The window may have changed during the answer.
            _ = resized()
            var (output, event) = editor.begin()
            try show(output)
            while event == nil {
                guard let bytes = try read() else {
                    // What follows begins a line of its own, if there still is a terminal.
                    _ = try? OutputText.write("\n")
                    return nil
                }
                (output, event) = editor.feed(bytes)
                try show(output)
                if event == .suspend {
                    RawTerminal.stop()
                    _ = RawTerminal.takeChange()
                    _ = resized(always: true)
                    try show(editor.resume())
                    event = nil
                }
            }
            switch event! {
            case .line(let line):
                try enter(.answering)
                return line
            case .endOfInput: return nil
            case .interrupt(let wasEmpty): if wasEmpty { Terminal.note("(Control-D or /exit ends the chat)") }
            case .suspend: break
            }
        }
    }

    /// Output for the size that the window has now; empty when it has not changed.
    private mutating func resized(always: Bool = false) -> String {
        guard RawTerminal.takeChange() || always else { return "" }
        let (width, height) = RawTerminal.size
        return editor.resize(width: width, height: height)
    }

    private func show(_ output: String) throws {
        if !output.isEmpty { try orHangUp { try OutputText.write(output) } }
    }

    private func enter(_ state: RawTerminal.State) throws {
        try orHangUp {
            try RawTerminal.enter(state)
            return true
        }
    }

    /// Writes to the terminal; `body` returns false, or throws, when it takes nothing any more.
    private func orHangUp(_ body: () throws -> Bool) throws {
        if (try? body()) == true { return }
        RawTerminal.noteHangUp()
        throw ChatEnd.outputClosed
    }

    /// Bytes of the terminal; nil when it is gone or the program is to end.
    private mutating func read() throws -> [UInt8]? {
        var buffer = [UInt8](repeating: 0, count: 1 << 14)
        while true {
            if RawTerminal.endingSignal != nil { return nil }
            if RawTerminal.takeInterrupt() { return [0x03] }
            try show(resized())
            // The bytes of a key come together; an escape key comes alone.
            switch RawTerminal.wait(milliseconds: editor.isInsideKey ? 50 : -1) {
            case .signal: continue
            case .timeout:
                editor.pause()
                continue
            case .input: break
            }
            let count = Glibc.read(STDIN_FILENO, &buffer, buffer.count)
            if count < 0 && (errno == EINTR || errno == EAGAIN) { continue }
            if count > 0 { return Array(buffer[..<count]) }
            // Control-D is a key here.
            RawTerminal.noteHangUp()
            return nil
        }
    }
}

/// A pipe or a file: each line is a message.
struct PipeInput: ChatInput {
    private static let longestLine = 64 << 20
    private var bytes: [UInt8] = []
    private var isAtEnd = false

    var history: History { History() }

    mutating func next() throws -> String? {
        var searched = 0
        while true {
            if let end = bytes[searched...].firstIndex(of: 0x0A) ?? (isAtEnd && !bytes.isEmpty ? bytes.count : nil) {
                var line = bytes[..<end]
                if line.last == 0x0D { line.removeLast() }
                let text = String(decoding: line, as: UTF8.self)
                bytes.removeFirst(min(end + 1, bytes.count))
                searched = 0
                if !text.allSatisfy(\.isWhitespace) { return text }
                continue
            }
            guard !isAtEnd, RawTerminal.endingSignal == nil else { return nil }
            searched = bytes.count
            if RawTerminal.wait(milliseconds: -1) == .signal { continue }
            var buffer = [UInt8](repeating: 0, count: 1 << 16)
            let count = Glibc.read(STDIN_FILENO, &buffer, buffer.count)
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw ConversionError("standard input: cannot be read: \(String(cString: strerror(errno)))") }
            if count == 0 { isAtEnd = true }
            bytes += buffer[..<count]
            guard bytes.count <= Self.longestLine || bytes.contains(0x0A) else {
                throw ConversionError("standard input: a line of more than \(Self.longestLine) bytes; a line is one message")
            }
        }
    }
}

/// Nobody reads the answers any more; what is to be saved is saved.
enum ChatEnd: Error { case outputClosed }
