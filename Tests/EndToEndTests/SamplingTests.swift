import Testing

/// The options that choose tokens, as a user gives them.
@Suite struct SamplingTests {
    private func converted(_ scratch: Scratch) throws -> String {
        let run = try QuernProcess.run("convert", QuernProcess.fixture, "-o", scratch.path("m.quern"))
        #expect(run.code == 0, "\(run.errors)")
        return scratch.path("m.quern")
    }

    private static let prompt = ["-p", "The command", "-n", "60", "--ignore-end"]

    /// Each option changes the text, and no draft does.
    @Test func everyOptionCountsAndSpeculationDoesNot() throws {
        let scratch = try Scratch()
        let file = try converted(scratch)
        func text(_ options: [String]) throws -> String {
            let run = try QuernProcess.run(["run", file] + Self.prompt + options, input: [])
            #expect(run.code == 0, "\(run.errors)")
            return run.output
        }
        let greedy = try text([]), random = ["--temperature", "1.3", "--seed", "5"], drawn = try text(random)
        #expect(greedy != drawn)
        for options in [
            ["--repetition-penalty", "1.3"], ["--repetition-penalty", "1.3", "--repeat-last-n", "-1"], ["--frequency-penalty", "0.7"],
            ["--presence-penalty", "2"], ["--dry-multiplier", "0.8", "--dry-sequence-breaker", "none"],
            ["--dry-multiplier", "0.8", "--dry-sequence-breaker", "none", "--dry-allowed-length", "4", "--dry-base", "2"],
        ] {
            let plain = try text(options)
            #expect(plain != greedy, "\(options)")
            #expect(try text(options + ["--speculate=8"]) == plain, "\(options)")
            #expect(try text(options + random + ["--speculate=8"]) == text(options + random), "\(options)")
        }
        #expect(try text(["--repetition-penalty", "1.3", "--repeat-last-n", "0"]) == greedy)
        for options in [["--top-k", "3"], ["--top-p", "0.5"], ["--min-p", "0.3"], ["--typical-p", "0.3"]] {
            let plain = try text(options + random)
            #expect(plain != drawn, "\(options)")
            #expect(try text(options + random + ["--speculate"]) == plain, "\(options)")
            #expect(try text(options) == greedy, "\(options)")
        }
        #expect(try text(["--top-k", "1"] + random) == greedy)
    }

    @Test func biasesBanAndForce() throws {
        let scratch = try Scratch()
        let file = try converted(scratch)
        // 349 is "The".
        let forced = try QuernProcess.run(["run", file, "-p", "x", "-n", "3", "--logit-bias", "349+1000"], input: [])
        #expect(forced.code == 0 && forced.output == " The The The\n", "\(forced.output) \(forced.errors)")
        let banned = try QuernProcess.run(["run", file, "-p", "x", "-n", "3", "--logit-bias", "349+1000", "--logit-bias", "349-inf"], input: [])
        #expect(banned.code == 0 && !banned.output.contains("The The"), "\(banned.output)")
    }

    /// Answer by answer what runs with these seeds give, and the prompt computed once.
    @Test func severalAnswers() throws {
        let scratch = try Scratch()
        let file = try converted(scratch)
        let options = ["run", file, "-p", "A transaction is a unit of", "-n", "20", "--temperature", "1", "--ignore-end"]
        let several = try QuernProcess.run(options + ["--seed", "8", "--n", "3"], input: [])
        #expect(several.code == 0, "\(several.errors)")
        let single = try ["8", "9", "10"].map { try QuernProcess.run(options + ["--seed", $0], input: []).output }
        #expect(several.output == "--- answer 1, seed 8\n\(single[0])\n--- answer 2, seed 9\n\(single[1])\n--- answer 3, seed 10\n\(single[2])")
        #expect(Set(single).count == 3)
        let lines = several.errors.split(separator: "\n")
        #expect(lines.count == 3 && lines[1].hasPrefix("1 prompt token at ") && lines[2].hasPrefix("1 prompt token at "), "\(several.errors)")
    }

    @Test func badRequestsAreExplained() throws {
        let scratch = try Scratch()
        let file = try converted(scratch)
        let cases: [(options: [String], code: Int32, text: String)] = [
            (["--top-k=-1"], 64, "--top-k must be 0 or more."), (["--top-p", "0"], 64, "--top-p must be above 0 and at most 1."),
            (["--typical-p", "1.5"], 64, "--typical-p must be above 0 and at most 1."), (["--min-p", "2"], 64, "--min-p must be within 0...1."),
            (["--temperature", "nan"], 64, "--temperature must be 0 or more."), (["--repetition-penalty", "0"], 64, "--repetition-penalty must be above 0"),
            (["--frequency-penalty", "inf"], 64, "--frequency-penalty must be within"), (["--repeat-last-n=-2"], 64, "--repeat-last-n must be -1 or more."),
            (["--dry-base", "0.5"], 64, "--dry-base must be within 1...1000000."), (["--dry-allowed-length", "0"], 64, "--dry-allowed-length must be at least 1."),
            (["--dry-sequence-breaker", ""], 64, "--dry-sequence-breaker must be a text"), (["--n", "2"], 64, "--n needs --temperature above 0"),
            (["--n", "0"], 64, "--n must be within 1...1000."), (["--logit-bias", "12"], 64, "--logit-bias"), (["--logit-bias", "12+nan"], 64, "--logit-bias"),
            (["--logit-bias", "12+inf"], 64, "--logit-bias"), (["--logit-bias", "4096+1"], 1, "--logit-bias: token 4096, expected ids within 0...4095"),
        ]
        for (options, code, text) in cases {
            let run = try QuernProcess.run(["run", file, "-p", "x"] + options, input: [])
            #expect(run.code == code && run.errors.contains(text), "\(options): \(run.errors)")
        }
    }
}
