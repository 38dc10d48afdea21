import Foundation
import Glibc
import StrictJSON
import Testing

/// The commands that run a model, on the bundled one.
@Suite struct RunTests {
    private func converted(_ scratch: Scratch, type: String = "q4") throws -> String {
        let file = scratch.path("m.quern")
        let run = try QuernProcess.run("convert", QuernProcess.fixture, "-o", file, "--type", type)
        #expect(run.code == 0, "\(run.errors)")
        return file
    }

    @Test func sameTextForAnyThreadsInstructionSetAndWayOfPrompting() throws {
        let scratch = try Scratch()
        let file = try converted(scratch)
        let prompt = "The kernel allocates memory for each"
        try #require(try scratch.bytesWritten(prompt, to: "prompt.txt"))
        let options = ["--max-tokens", "40", "--ignore-end"]
        let first = try QuernProcess.run(["run", file, "-p", prompt, "--threads", "1"] + options, input: [])
        #expect(first.code == 0, "\(first.errors)")
        #expect(first.output.hasPrefix(" "))
        #expect(first.errors.contains("8 prompt tokens at") && first.errors.contains("40 generated at"), "\(first.errors)")
        let others = [
            try QuernProcess.run(["run", file, "-p", prompt, "--threads", "2"] + options, input: []),
            try QuernProcess.run(["run", file, "--prompt-file", scratch.path("prompt.txt")] + options, input: []),
            try QuernProcess.run(["run", file] + options, input: Array(prompt.utf8)),
            try QuernProcess.run(["run", file, "-p", prompt] + options, input: [], environment: ["QUERN_FORCE_ISA": "scalar"]),
        ]
        for other in others { #expect(other.output == first.output, "\(other.errors)") }
    }

    @Test func speculationKeepsTheText() throws {
        let scratch = try Scratch()
        let file = try converted(scratch)
        for options in [["--temperature", "0"], ["--temperature", "0.8", "--seed", "4"]] {
            let arguments = ["-p", "The command", "-n", "120", "--ignore-end"] + options
            let plain = try QuernProcess.run(["run", file] + arguments, input: [])
            #expect(plain.code == 0 && !plain.errors.contains("drafted"), "\(plain.errors)")
            for speculate in [["--speculate", file], ["--speculate=3", file], [file, "--speculate"]] {
                let run = try QuernProcess.run(["run"] + speculate + arguments, input: [])
                #expect(run.code == 0 && run.output == plain.output, "\(run.errors)")
                #expect(run.errors.contains("drafted tokens right (") && run.errors.contains(" tokens per pass"), "\(run.errors)")
            }
        }
    }

    /// With room for fewer rows of logits than a draft would need
    @Test func speculationInALittleContext() throws {
        let scratch = try Scratch()
        let file = try converted(scratch)
        let run = try QuernProcess.run(["run", file, "-p", "The", "--context", "5", "--speculate", "--ignore-end"], input: [])
        #expect(run.code == 0 && run.errors.contains("(context full)"), "\(run.errors)")
    }

    @Test func seedsMakeRandomTextRepeatable() throws {
        let scratch = try Scratch()
        let file = try converted(scratch)
        func text(_ seed: String) throws -> String {
            try QuernProcess.run(["run", file, "-p", "A transaction", "--temperature", "1", "--seed", seed, "--max-tokens", "30"], input: []).output
        }
        #expect(try text("1") == text("1"))
        #expect(try text("1") != text("2"))
    }

    @Test func badRequestsAreExplained() throws {
        let scratch = try Scratch()
        let file = try converted(scratch)
        let cases: [(arguments: [String], code: Int32, text: String)] = [
            (["run", file, "-p", ""], 1, "prompt: empty, expected text to continue"),
            (["run", file, "-p", String(repeating: "word ", count: 400), "--context", "64"], 1, "expected fewer than the context of 64; shorten it or raise --context"),
            (["run", file, "-p", "x", "--temperature=-1"], 64, "--temperature must be 0 or more"),
            (["run", file, "-p", "x", "--speculate=16"], 64, "--speculate must be within 1...15"),
            (["run", scratch.path("none.quern"), "-p", "x"], 1, "none.quern: cannot open"),
            (["run", QuernProcess.fixture + "/config.json", "-p", "x"], 1, "this is not a quern model file: it begins with 7B 0A"),
            (["run", file, "--prompt-file", scratch.path("none.txt")], 1, "none.txt: cannot open"),
            (["eval", file, "--text", QuernProcess.fixture + "/config.json"], 1, "expected at least 512"),
            (["run", scratch.folder, "-p", "x"], 1, "\(scratch.folder): is a folder; give a .quern file, made with 'quern convert'"),
            (["verify", scratch.folder], 1, "\(scratch.folder): is a folder; give a .quern file, made with 'quern convert'"),
            (["verify", "/dev/null"], 1, "/dev/null: neither a file nor a folder; give a .quern file, made with 'quern convert'"),
            (["verify", scratch.path("none.quern")], 1, "No such file or directory; check the path"),
            (["run", file, "--prompt-file", scratch.folder], 1, "\(scratch.folder): is a folder; give a file"),
            (["tokenize", scratch.folder], 1, "neither tokenizer.model nor tokenizer.json is here"),
        ]
        for (arguments, code, text) in cases {
            let run = try QuernProcess.run(arguments, input: [])
            #expect(run.code == code, "\(arguments): \(run.errors)")
            #expect(run.errors.contains(text), "\(arguments): \(run.errors)")
            #expect(run.output.isEmpty)
        }
        let forced = try QuernProcess.run(["run", file, "-p", "x"], input: [], environment: ["QUERN_FORCE_ISA": "mmx"])
        #expect(forced.code == 1 && forced.errors.contains("QUERN_FORCE_ISA=mmx: no such instruction set; choose one of"), "\(forced.errors)")
    }

    @Test func promptsComeFromPipes() throws {
        let scratch = try Scratch()
        let file = try converted(scratch)
        let direct = try QuernProcess.run(["run", file, "-p", "The kernel", "-n", "5"], input: [])
        let pipe = scratch.path("pipe")
        #expect(mkfifo(pipe, 0o600) == 0)
        let running = try QuernProcess.start(["run", file, "--prompt-file", pipe, "-n", "5"])
        // Opened for both, so that opening waits for nobody.
        let descriptor = open(pipe, O_RDWR | O_CLOEXEC)
        #expect(write(descriptor, "The kernel", 10) == 10)
        // The end of the text comes with the last writer's end, so wait until the command has it.
        var waiting: Int32 = 10
        for _ in 0..<100_000 where waiting > 0 && running.process.isRunning {
            _ = ioctl(descriptor, UInt(FIONREAD), &waiting)
            usleep(100)
        }
        close(descriptor)
        let run = try running.finish()
        #expect(run.code == 0 && run.output == direct.output, "\(run.errors)")
    }

    @Test func damagedFilesAreNotRun() throws {
        let scratch = try Scratch()
        _ = try converted(scratch)
        try scratch.edit("m.quern") { $0[$0.count - 3] ^= 4 }
        let run = try QuernProcess.run("run", scratch.path("m.quern"), "-p", "x")
        #expect(run.code == 1 && run.errors.contains("tokenizer"), "\(run.errors)")
    }

    @Test func evaluationAsJSON() throws {
        let scratch = try Scratch()
        let file = try converted(scratch, type: "q8")
        let run = try QuernProcess.run(
            "eval", file, "--text", QuernProcess.fixture + "/sampled.txt", "--against", file, "--windows", "2", "--json")
        #expect(run.code == 0, "\(run.errors)")
        let json = try run.json
        #expect(json["scored"]?.int == 510)
        #expect(json["mean_kld"]?.double == 0)
        #expect(json["same_top"]?.double == 1)
        #expect(json["perplexity_ratio"]?.double == 1)
        #expect((json["perplexity"]?.double ?? 0) > 10)
    }

    @Test func tokenizesAndBack() throws {
        let scratch = try Scratch()
        let file = try converted(scratch)
        for path in [file, QuernProcess.fixture] {
            #expect(try QuernProcess.run(["tokenize", path], input: Array("The command".utf8)).output == "1 349 541\n")
            #expect(try QuernProcess.run(["tokenize", path, "--json", "--no-bos"], input: Array("The command".utf8)).output == "[349,541]\n")
            let several = try QuernProcess.run(["tokenize", path, "--json", "-0", "--no-bos"], input: Array("The command\0\0</s>".utf8))
            let lines = several.output.split(separator: "\n", omittingEmptySubsequences: false)
            #expect(lines.count == 4 && lines[0] == "[349,541]" && lines[1] == "[]" && lines[3] == "")
            #expect(try QuernProcess.run(["tokenize", path, "--no-bos", "--special"], input: Array("</s>".utf8)).output == "2\n")
        }
        let back = try QuernProcess.run(["tokenize", file, "--decode"], input: Array("[1,349,541]\n349 541\n".utf8))
        #expect(back.output == "The command\nThe command\n")
        for line in ["1,,2", "1,", "+5", "[1 2]", "[1,,2]", "[1", "-1", "0x1"] {
            let run = try QuernProcess.run(["tokenize", file, "--decode"], input: Array(line.utf8))
            #expect(run.code == 1 && run.errors.contains("standard input: line 1: expected "), "\(line): \(run.errors)")
            #expect(run.output.isEmpty)
        }
        #expect(try QuernProcess.run(["tokenize", file, "--decode"], input: Array("\n[ ]\n 349 ,541 \n".utf8)).output == "\n\nThe command\n")
        let bad = try QuernProcess.run(["tokenize", file, "--decode"], input: Array("1 99999\n".utf8))
        #expect(bad.code == 1 && bad.errors.contains("line 1: expected token ids within 0...4095, found '99999'"), "\(bad.errors)")
    }
}

extension Scratch {
    fileprivate func bytesWritten(_ text: String, to name: String) throws -> Bool {
        try text.write(toFile: path(name), atomically: true, encoding: .utf8)
        return true
    }
}
