import Foundation
import Testing

/// No command writes its result over something else, and each finds out before its work.
@Suite struct OutputTests {
    private let text = QuernProcess.fixture + "/sampled.txt"

    /// Commands that write a result, up to its name, and what they call it.
    private func commands(_ model: String) -> [(arguments: [String], kind: String)] {
        let questions = QuernProcess.repository + "/Tests/Fixtures/tasks/medqa_4options.jsonl"
        return [
            (["calibrate", QuernProcess.fixture, "--text", text, "--windows", "1", "-o"], "calibration file"),
            (["sensitivity", QuernProcess.fixture, "--text", text, "--windows", "1", "--layers", "2", "-o"], "sensitivity file"),
            (["eval", model, "--task", "medqa_4options", "--data", questions, "--output"], "list of answers"),
        ]
    }

    @Test func nothingElseIsReplaced() throws {
        let scratch = try Scratch(), model = scratch.path("m.quern")
        #expect(try QuernProcess.run("convert", QuernProcess.fixture, "-o", model).code == 0)
        let before = try scratch.bytes("m.quern")
        try Data("precious".utf8).write(to: URL(filePath: scratch.path("notes.txt")))
        try FileManager.default.createDirectory(atPath: scratch.path("folder"), withIntermediateDirectories: false)
        #expect(mkfifo(scratch.path("pipe"), 0o600) == 0)
        let names = try scratch.names()
        for (arguments, kind) in commands(model) {
            let option = arguments.last!
            for (name, message) in [
                ("notes.txt", "the output exists and is no \(kind); remove it or choose another name with \(option)"),
                ("m.quern", "the output exists and is no \(kind)"),
                ("folder", "the output is a folder; give a file name with \(option)"),
                ("pipe", "the output exists and is no regular file; choose another name with \(option)"),
                ("none/out", "/none does not exist; create it or choose another with \(option)"),
            ] {
                let run = try QuernProcess.run(arguments + [scratch.path(name)], input: [])
                #expect(run.code == 1 && run.errors.contains(message) && !run.errors.contains("window"), "\(arguments): \(run.errors)")
            }
        }
        #expect(try scratch.names() == names && scratch.bytes("m.quern") == before && scratch.text("notes.txt") == "precious")
    }

    @Test func anEarlierResultIs() throws {
        let scratch = try Scratch(), model = scratch.path("m.quern")
        #expect(try QuernProcess.run("convert", QuernProcess.fixture, "-o", model).code == 0)
        for (arguments, kind) in commands(model) {
            try Data().write(to: URL(filePath: scratch.path(kind)))
            for _ in 0..<2 {
                let run = try QuernProcess.run(arguments + [scratch.path(kind)], input: [])
                #expect(run.code == 0, "\(arguments): \(run.errors)")
            }
            #expect(try !scratch.bytes(kind).isEmpty)
        }
    }

    @Test func questionsAreNotTheirAnswers() throws {
        let scratch = try Scratch(), model = scratch.path("m.quern"), questions = scratch.path("q.jsonl")
        #expect(try QuernProcess.run("convert", QuernProcess.fixture, "-o", model).code == 0)
        try FileManager.default.copyItem(atPath: QuernProcess.repository + "/Tests/Fixtures/tasks/medqa_4options.jsonl", toPath: questions)
        let before = try scratch.bytes("q.jsonl")
        let run = try QuernProcess.run("eval", model, "--task", "medqa_4options", "--data", questions, "--output", scratch.folder + "/./q.jsonl")
        #expect(run.code == 1 && run.errors.contains("the output is the input \(questions)"), "\(run.errors)")
        #expect(try scratch.bytes("q.jsonl") == before)
    }

    private func shell(_ script: String, _ arguments: String...) throws -> (code: Int32, errors: String) {
        let process = Process(), errors = Pipe()
        process.executableURL = URL(filePath: "/bin/bash")
        process.arguments = ["-c", "set -o pipefail; " + script, QuernProcess.binary] + arguments
        process.standardError = errors
        try process.run()
        let text = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        return (process.terminationStatus, text)
    }

    /// A reader that went away takes nothing from a conversion; a closed stream does not become a file.
    @Test func standardOutputThatIsGone() throws {
        let scratch = try Scratch(), model = scratch.path("m.quern")
        let short = try shell("\"$0\" convert \"$1\" -o \"$2\" --json | head -c 1 >/dev/null", QuernProcess.fixture, model)
        #expect(short.code == 0, "\(short.errors)")
        let closed = try shell("\"$0\" inspect \"$1\" >&-", model)
        #expect(closed.code == 1 && closed.errors.contains("standard output: cannot write"), "\(closed.errors)")
        let converted = try shell("\"$0\" convert \"$1\" -o \"$2\" <&- >&- 2>&-; cmp \"$2\" \"$3\"", QuernProcess.fixture, scratch.path("n.quern"), model)
        #expect(converted.code == 0, "\(converted.errors)")
    }

    @Test func contextsThatCannotRunAreNotPlanned() throws {
        let run = try QuernProcess.run("convert", QuernProcess.fixture, "--dry-run", "--context", "4097")
        #expect(run.code == 1 && run.errors.contains("--context: 4097 positions, expected at most 4096"), "\(run.errors)")
        #expect(try QuernProcess.run("convert", QuernProcess.fixture, "--dry-run", "--context", "4096").code == 0)
        // with everything else that is wrong, and before a mixture is chosen
        let both = try QuernProcess.run("convert", QuernProcess.fixture, "--target-bpw", "4.8", "--context", "4097", "-o", "/missing/x.quern")
        #expect(both.errors.contains("2 faults") && both.errors.contains("4097 positions") && both.errors.contains("/missing does not exist"))
    }

    /// What may not be looked at is not called missing. The superuser may look at everything.
    @Test(.enabled(if: geteuid() != 0)) func foldersThatMayNotBeRead() throws {
        let scratch = try Scratch(), folder = try scratch.copyFixture()
        #expect(chmod(folder, 0) == 0)
        defer { chmod(folder, 0o700) }
        let convert = try QuernProcess.run("convert", folder, "--dry-run"), inspect = try QuernProcess.run("inspect", folder + "/m.quern")
        #expect(convert.code == 1 && convert.errors.contains("this user may not read the folder") && !convert.errors.contains("missing"), "\(convert.errors)")
        #expect(inspect.code == 1 && inspect.errors.contains("permission denied"), "\(inspect.errors)")
    }
}
