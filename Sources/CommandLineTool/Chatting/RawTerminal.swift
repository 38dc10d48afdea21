import Glibc
import Synchronization

// What the signal handlers read and write. The modes are set once, before the handlers are installed.
private nonisolated(unsafe) var usualMode = termios()
private nonisolated(unsafe) var editingMode = termios()
private nonisolated(unsafe) var answeringMode = termios()
private let state = Atomic(RawTerminal.State.usual.rawValue)
private let interrupts = Atomic(0)
private let ending = Atomic<Int32>(0)
private let isHungUp = Atomic(false)
private let changes = Atomic(0)
private let continuations = Atomic(0)
/// What signals did before, by their numbers.
private nonisolated(unsafe) let before = UnsafeMutablePointer<sigaction>.allocate(capacity: 65)
/// Handlers write into it what ends a wait: a signal may come just before the wait begins, or to another thread.
private nonisolated(unsafe) var wakeUps: (read: Int32, write: Int32) = (-1, -1)

/// The terminal while a chat uses it: keys come at once and are not shown by the system. Its usual state comes back on every way out of the
/// program: at the end, on every signal that can be caught, and while it is stopped.
enum RawTerminal {
    enum State: Int {
        case usual
        /// Control-C and Control-Z are keys.
        case editing
        /// Control-C and Control-Z are signals; what is typed waits for the next prompt.
        case answering
    }

    private static let beginPasteMarks = "\u{1B}[?2004h"
    private static let endPasteMarks = Array("\u{1B}[?2004l".utf8)
    // Safe: made once, never changed.
    private nonisolated(unsafe) static let endMarks: UnsafeRawBufferPointer = {
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: endPasteMarks.count, alignment: 1)
        copy.copyBytes(from: endPasteMarks)
        return UnsafeRawBufferPointer(copy)
    }()

    /// Reads the terminal's state. False when there is none, or its state cannot be read.
    static func prepare() -> Bool {
        guard isatty(STDIN_FILENO) == 1, isatty(STDOUT_FILENO) == 1, tcgetattr(STDIN_FILENO, &usualMode) == 0 else { return false }
        if let name = getenv("TERM"), String(cString: name) == "dumb" { return false }
        _ = endMarks
        editingMode = usualMode
        editingMode.c_iflag &= ~tcflag_t(BRKINT | ICRNL | INLCR | IGNCR | ISTRIP | IXON)
        editingMode.c_lflag &= ~tcflag_t(ICANON | ECHO | IEXTEN | ISIG)
        withUnsafeMutableBytes(of: &editingMode.c_cc) { characters in
            characters[Int(VMIN)] = 1
            characters[Int(VTIME)] = 0
        }
        answeringMode = editingMode
        answeringMode.c_lflag |= tcflag_t(ISIG)
        return true
    }

    static func enter(_ new: State) throws {
        // What was typed ahead stays.
        set(new)
        if new == .editing { _ = try OutputText.write(beginPasteMarks) }
    }

    static func leave() {
        guard State(rawValue: state.load(ordering: .relaxed)) != .usual else { return }
        restore()
        state.store(State.usual.rawValue, ordering: .relaxed)
    }

    private static func set(_ new: State) {
        var mode = new == .usual ? usualMode : new == .editing ? editingMode : answeringMode
        tcsetattr(STDIN_FILENO, TCSADRAIN, &mode)
        state.store(new.rawValue, ordering: .relaxed)
    }

    /// May be called in a signal handler. Leaves `state` as it is.
    static func restore() {
        guard state.load(ordering: .relaxed) != State.usual.rawValue else { return }
        var mode = usualMode
        tcsetattr(STDIN_FILENO, TCSANOW, &mode)
        _ = write(STDOUT_FILENO, endMarks.baseAddress!, endMarks.count)
    }

    static var size: (width: Int, height: Int) {
        var size = winsize()
        guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, size.ws_row > 0 else { return (80, 24) }
        return (Int(size.ws_col), Int(size.ws_row))
    }

    // MARK: Signals

    /// Whether Control-C was given since this was asked last.
    static func takeInterrupt() -> Bool { interrupts.exchange(0, ordering: .relaxed) > 0 }
    static var isInterrupted: Bool { interrupts.load(ordering: .relaxed) > 0 || endingSignal != nil }

    /// The signal that asked the program to end.
    static var endingSignal: Int32? {
        let number = ending.load(ordering: .relaxed)
        return number != 0 ? number : isHungUp.load(ordering: .relaxed) ? SIGHUP : nil
    }

    /// The terminal is gone: its input ends, or its output fails. The signal that says so goes to any thread and may come after that.
    static func noteHangUp() { isHungUp.store(true, ordering: .relaxed) }

    /// Whether the window has another size, or the program went on after a stop.
    static func takeChange() -> Bool { changes.exchange(0, ordering: .relaxed) > 0 }

    /// - Parameter interruptEnds: Control-C ends the program, in order, instead of the answer alone.
    static func catchSignals(interruptEnds: Bool) {
        var ends: [Int32] = [-1, -1]
        if pipe(&ends) == 0 {
            wakeUps = (ends[0], ends[1])
            for end in ends {
                _ = fcntl(end, F_SETFL, O_NONBLOCK)
                _ = fcntl(end, F_SETFD, FD_CLOEXEC)
            }
        }
        on(SIGINT) { _ in
            _ = interrupts.add(1, ordering: .relaxed)
            RawTerminal.wakeUp()
        }
        for number in interruptEnds ? [SIGINT, SIGTERM, SIGHUP, SIGQUIT] : [SIGTERM, SIGHUP, SIGQUIT] {
            on(number) { number in
                RawTerminal.restore()
                // The answer ends after its next token, and what is to be saved is saved; the second time there is no waiting. A terminal that
                // is closed may send more than one hang-up, from the system and from the shell.
                if ending.exchange(number, ordering: .relaxed) != 0, number != SIGHUP { _exit(128 + number) }
                RawTerminal.wakeUp()
            }
        }
        for number in [SIGWINCH, SIGCONT] {
            on(number) { number in
                _ = changes.add(1, ordering: .relaxed)
                if number == SIGCONT { _ = continuations.add(1, ordering: .relaxed) }
                RawTerminal.wakeUp()
            }
        }
        on(SIGTSTP) { _ in RawTerminal.stop() }
        for number in [SIGILL, SIGTRAP, SIGABRT, SIGFPE, SIGSEGV] {
            on(number) { number in
                RawTerminal.restore()
                // What would have happened without this handler follows when it returns.
                sigaction(number, &before[Int(number)], nil)
                raise(number)
            }
        }
        signal(SIGPIPE, SIG_IGN)
    }

    private static func wakeUp() {
        let code = errno
        var byte: UInt8 = 0
        _ = write(wakeUps.write, &byte, 1)
        errno = code
    }

    enum Wait { case input, signal, timeout }

    /// Waits until there is something to read on standard input, or a signal came.
    ///
    /// - Parameter milliseconds: -1 waits for ever.
    static func wait(milliseconds: Int32) -> Wait {
        var files = [pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0), pollfd(fd: wakeUps.read, events: Int16(POLLIN), revents: 0)]
        let ready = poll(&files, 2, milliseconds)
        var bytes = [UInt8](repeating: 0, count: 64)
        if ready > 0, files[1].revents != 0 {
            while read(wakeUps.read, &bytes, bytes.count) > 0 {}
            return .signal
        }
        return ready < 0 ? .signal : ready == 0 ? .timeout : .input
    }

    /// Stops the program as Control-Z does, with the terminal as it was; returns when it goes on.
    static func stop() {
        restore()
        continuations.store(0, ordering: .relaxed)
        signal(SIGTSTP, SIG_DFL)
        // The whole job stops, as with Control-Z.
        kill(0, SIGTSTP)
        // Another thread may take the signal, so this one waits for the end of the stop. A job without a shell does not stop at all.
        for _ in 0..<200 {
            if continuations.load(ordering: .relaxed) > 0 { break }
            poll(nil, 0, 1)
        }
        on(SIGTSTP) { _ in RawTerminal.stop() }
        if let current = State(rawValue: state.load(ordering: .relaxed)), current != .usual { set(current) }
        if state.load(ordering: .relaxed) == State.editing.rawValue { _ = write(STDOUT_FILENO, "\u{1B}[?2004h", 8) }
    }

    private static func on(_ number: Int32, _ handler: @escaping @convention(c) (Int32) -> Void) {
        sigaction(number, nil, &before[Int(number)])
        // nohup sets signals to be ignored, and they stay so.
        if unsafeBitCast(before[Int(number)].__sigaction_handler.sa_handler, to: Int.self) == 1 { return }
        var action = sigaction()
        action.__sigaction_handler.sa_handler = handler
        sigaction(number, &action, nil)
    }
}
