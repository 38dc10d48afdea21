import Foundation
import Glibc
import TestSupport
import Testing

/// `chat` as a person at a terminal sees it.
@Suite struct ChatTerminalTests {
    private func terminal(_ scratch: Scratch, _ options: [String] = []) throws -> Pseudoterminal {
        let file = scratch.path("m.quern")
        if try !scratch.names().contains("m.quern") { #expect(try QuernProcess.run("convert", QuernProcess.fixture, "-o", file).code == 0) }
        let terminal = try Pseudoterminal(
            ["chat", file, "--chat-format", "plain", "-n", "8"] + options, environment: ["XDG_STATE_HOME": scratch.path("state")])
        #expect(terminal.wait(for: "> "), "\(terminal.shown)")
        return terminal
    }

    @Test func answersCommandsAndEnd() throws {
        let scratch = try Scratch()
        let terminal = try terminal(scratch)
        #expect(!terminal.isUsual && terminal.shown.contains("\u{1B}[?2004h"))
        terminal.type("Xhe file\u{1}\u{1B}[3~T\r")
        #expect(terminal.wait(for: "[the answer was cut after 8 tokens"), "\(terminal.shown)")
        terminal.type("/save \(scratch.path("c.json"))\r")
        #expect(terminal.wait(for: "c.json: 2 messages"), "\(terminal.shown)")
        #expect(try scratch.text("c.json").contains("\"content\": \"The file\""))
        terminal.type("/load \(scratch.path("m.quern"))\r/reset\r/load \(scratch.path("c.json"))\r/stats\r/what\r")
        #expect(terminal.wait(for: "m.quern: ") && terminal.wait(for: "loaded ") && terminal.wait(for: "there is no command /what"), "\(terminal.shown)")
        terminal.type("\u{4}")
        #expect(terminal.waitForEnd() == 0)
        #expect(terminal.isUsual && terminal.shown.contains("\u{1B}[?2004l"))
        // Nothing that was typed stays behind unasked.
        #expect(try scratch.names().sorted() == ["c.json", "m.quern"])
    }

    @Test func historyOnRequest() throws {
        let scratch = try Scratch()
        let first = try terminal(scratch, ["--history"])
        first.type("/stats\r\u{4}")
        #expect(first.waitForEnd() == 0)
        #expect(try scratch.text("state/quern/chat-history") == "/stats\n")
        var status = stat()
        #expect(stat(scratch.path("state/quern/chat-history"), &status) == 0 && status.st_mode & 0o777 == 0o600)
        #expect(stat(scratch.path("state/quern"), &status) == 0 && status.st_mode & 0o777 == 0o700)
        let second = try terminal(scratch, ["--history"])
        second.type("\u{1B}[A\r")
        #expect(second.wait(for: "this program    0 answers"), "\(second.shown)")
        second.type("\u{4}")
        #expect(second.waitForEnd() == 0)
    }

    @Test(arguments: [SIGTERM, SIGHUP, SIGQUIT])
    func signalsAtThePromptEndInOrder(number: Int32) throws {
        let scratch = try Scratch()
        let terminal = try terminal(scratch, ["--session", scratch.path("s.qses")])
        terminal.type("half a li")
        #expect(terminal.wait(for: "half a li"))
        kill(terminal.process.processIdentifier, number)
        // The system and the shell both say that a terminal was closed.
        if number == SIGHUP {
            usleep(1000)
            kill(terminal.process.processIdentifier, number)
        }
        #expect(terminal.waitForEnd() == 128 + number)
        #expect(terminal.isUsual && terminal.shown.contains("\u{1B}[?2004l"))
        #expect(try scratch.names().contains("s.qses"))
    }

    @Test(arguments: [SIGINT, SIGTERM, SIGSEGV, SIGABRT])
    func signalsDuringAnAnswer(number: Int32) throws {
        let scratch = try Scratch()
        let terminal = try terminal(scratch, ["-n", "900", "--temperature", "1.5", "--seed", "5"])
        // Into the answer, and once more where it had ended before the signal came.
        for attempt in 1...10 {
            let lines = terminal.shown.components(separatedBy: "\r\n").count - 1
            terminal.type("The\r")
            #expect(terminal.wait(for: "\r\n", times: lines + 3), "\(terminal.shown)")
            kill(terminal.process.processIdentifier, number)
            guard number == SIGINT else { break }
            #expect(terminal.wait(for: "\u{1B}[?2004h", times: attempt + 1), "\(terminal.shown)")
            if terminal.shown.contains("[stopped]") { break }
        }
        if number == SIGINT {
            #expect(terminal.shown.contains("[stopped]"), "\(terminal.shown)")
            terminal.type("/exit\r")
            #expect(terminal.waitForEnd() == 0)
        } else {
            #expect(terminal.waitForEnd() == (number == SIGTERM ? 128 + number : -number))
        }
        #expect(terminal.isUsual)
    }

    /// The terminal may be gone before the program hears of it by a signal.
    @Test(arguments: [true, false])
    func aHungUpTerminalEndsTheChat(bySignal: Bool) throws {
        let scratch = try Scratch()
        let process: Process
        do {
            let terminal = try terminal(scratch, ["--session", scratch.path("s.qses")])
            process = terminal.process
            if bySignal { kill(process.processIdentifier, SIGHUP) }
        }
        process.waitUntilExit()
        #expect(process.terminationStatus == 129)
        #expect(try scratch.names().contains("s.qses"))
    }
}
