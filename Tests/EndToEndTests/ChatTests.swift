import Foundation
import Glibc
import StrictJSON
import TestSupport
import Testing

/// `chat` and the session files of `run` and `chat`, on the bundled model.
@Suite struct ChatTests {
    private func converted(_ scratch: Scratch, type: String = "q4") throws -> String {
        let file = scratch.path("\(type).quern")
        let run = try QuernProcess.run("convert", QuernProcess.fixture, "-o", file, "--type", type)
        #expect(run.code == 0, "\(run.errors)")
        return file
    }

    private func chat(_ arguments: [String], _ input: String) throws -> QuernProcess {
        try QuernProcess.run(["chat"] + arguments, input: Array(input.utf8))
    }

    @Test func pipeGetsAnswersAlone() throws {
        let scratch = try Scratch()
        let options = [try converted(scratch), "--chat-format", "vicuna", "-n", "12"]
        let run = try chat(options + ["-v"], "The file\r\n\n  \n/help\nLast one, without a line break")
        #expect(run.code == 0, "\(run.errors)")
        #expect(!run.output.contains("\u{1B}") && !run.output.contains("> ") && !run.output.hasPrefix(" "))
        // Three answers; a command is a message.
        #expect(run.errors.components(separatedBy: " generated at ").count == 4, "\(run.errors)")
        #expect(run.errors.contains("[the answer was cut after 12 tokens, the limit (max-tokens)]"))
        #expect(run.errors.contains("chat format vicuna: asked for"))
        let first = try chat(options, "The file\n")
        #expect(run.output.hasPrefix(first.output) && first.output.hasSuffix("\n"))
    }

    @Test func wrongRequestsAreExplained() throws {
        let scratch = try Scratch()
        let file = try converted(scratch)
        let none = try chat([file], "x\n")
        #expect(none.code == 1 && none.errors.contains("choose one with --chat-format"), "\(none.errors)")
        let unknown = try chat([file, "--chat-format", "no"], "x\n")
        #expect(unknown.code == 1 && unknown.errors.contains("there is none of the name 'no'"), "\(unknown.errors)")
        let long = try chat([file, "--chat-format", "plain", "--context", "30"], String(repeating: "word ", count: 60) + "\n")
        #expect(long.code == 1 && long.errors.contains("expected fewer than the context of 30"), "\(long.errors)")
        #expect(try chat([file, "--top-p", "0"], "").errors.contains("--top-p must be above 0 and at most 1."))
        #expect(try chat([file, "--chat-format", "plain", "--session", scratch.path("no/s.qses")], "x\n").errors.contains("is no folder in which this user may create files"))
    }

    @Test func fullContextDropsTheOldestAndSaysSo() throws {
        let scratch = try Scratch()
        let lines = (0..<8).map { "Question \($0) about the file name" }.joined(separator: "\n")
        let run = try chat([try converted(scratch), "--chat-format", "vicuna", "--system", "Short.", "--context", "120", "-n", "15"], lines)
        #expect(run.code == 0 && run.errors.contains("the context is full: the "), "\(run.errors)")
    }

    /// A conversation cut in two goes on as if it had not been.
    @Test func sessionsGoOn() throws {
        let scratch = try Scratch()
        let file = try converted(scratch)
        let options = [file, "--chat-format", "vicuna", "-n", "15", "-v"]
        let whole = try chat(options, "The command\nThe name of it\n")
        let first = try chat(options + ["--session", scratch.path("s.qses")], "The command\n")
        let second = try chat(options + ["--session", scratch.path("s.qses")], "The name of it\n")
        #expect(first.code == 0 && second.code == 0 && first.output + second.output == whole.output, "\(second.errors)")
        #expect(second.errors.contains("going on after 1 question, "))
        let reused = try #require(second.errors.firstMatch(of: /tok\/s, ([0-9]+) reused/)?.1)
        #expect(try #require(Int(reused)) > 30)
        #expect(try chat(["\(converted(scratch, type: "q8"))"] + options.dropFirst() + ["--session", scratch.path("s.qses")], "x\n").errors.contains("the session of another model"))
        #expect(try scratch.names().sorted() == ["q4.quern", "q8.quern", "s.qses"])
    }

    @Test func runReusesWhatASessionHolds() throws {
        let scratch = try Scratch()
        let file = try converted(scratch)
        let session = ["--session", scratch.path("s.qses"), "--ignore-end", "-n", "20"]
        let prompt = "The kernel allocates memory for each"
        let first = try QuernProcess.run(["run", file, "-p", prompt] + session, input: [])
        #expect(first.errors.contains("session: new, 8 prompt tokens to compute"), "\(first.errors)")
        let longer = prompt + " driver and for every file that is open"
        let second = try QuernProcess.run(["run", file, "-p", longer] + session, input: [])
        let plain = try QuernProcess.run(["run", file, "-p", longer, "--ignore-end", "-n", "20"], input: [])
        #expect(second.errors.contains("session: 8 of ") && second.errors.contains("prompt tokens reused of the 27 in"), "\(second.errors)")
        #expect(second.output == plain.output)
        try Data("not a session".utf8).write(to: URL(filePath: scratch.path("other")))
        let refused = try QuernProcess.run(["run", file, "-p", prompt, "--session", scratch.path("other")], input: [])
        #expect(refused.code == 1 && refused.errors.contains("this is no session file"), "\(refused.errors)")
        #expect(try scratch.text("other") == "not a session")
    }

    @Test(.enabled(if: ReferenceReader.isAvailable, "python3 with numpy is not here"), arguments: ["f16", "f32", "q8"])
    func independentReaderAgrees(element: String) throws {
        let scratch = try Scratch()
        let file = try converted(scratch)
        let run = try QuernProcess.run(
            ["run", file, "-p", "The kernel allocates", "--kv", element, "-n", "30", "--ignore-end", "--session", scratch.path("s.qses")], input: [])
        #expect(run.code == 0, "\(run.errors)")
        let read = try ReferenceReader.run(["verify", scratch.path("s.qses"), "--model", file], program: "reference_session.py")
        #expect(read.status == 0 && read.output.contains(": whole: 34 positions, 8 layers x 2 heads x 32, \(element), model "), "\(read.output)")
    }

    /// `chat`, or `run`, in a shell's command line, which is to be completed by where its lines come from and its answers go.
    private func shell(_ command: (_ program: String) -> String, _ scratch: Scratch, as name: String = "chat --chat-format plain") throws -> Process {
        let process = Process()
        process.executableURL = URL(filePath: "/bin/sh")
        process.arguments = ["-c", command("\(QuernProcess.binary) \(name) \(try converted(scratch)) --session \(scratch.path("s.qses"))")]
        process.standardError = FileHandle.nullDevice
        return process
    }

    @Test func closedOutputEndsInOrder() throws {
        let scratch = try Scratch()
        let process = try shell({ "yes 'The command' | \($0); echo $? > \(scratch.path("code"))" }, scratch)
        let pipe = Pipe()
        process.standardOutput = pipe
        try process.run()
        _ = pipe.fileHandleForReading.readData(ofLength: 10)
        try pipe.fileHandleForReading.close()
        try pipe.fileHandleForWriting.close()
        process.waitUntilExit()
        #expect(try scratch.text("code") == "0\n")
        #expect(try scratch.names().contains("s.qses"))
    }

    /// What was computed is kept when an answer cannot be written.
    @Test(arguments: ["chat --chat-format plain", "run"])
    func fullOutputKeepsTheSession(name: String) throws {
        let scratch = try Scratch()
        let process = try shell({ "echo 'The command' | \($0) -n 4 >/dev/full" }, scratch, as: name)
        try process.run()
        process.waitUntilExit()
        #expect(process.terminationStatus == 1)
        #expect(try scratch.names().contains("s.qses"))
    }
}
