import Foundation
import StrictJSON
import Testing

/// eval --task as a user runs it.
@Suite struct TaskTests {
    private let questions = QuernProcess.repository + "/Tests/Fixtures/tasks"

    private func converted(_ scratch: Scratch, _ type: String) throws -> String {
        let file = scratch.path("\(type).quern")
        let run = try QuernProcess.run("convert", QuernProcess.fixture, "-o", file, "--type", type)
        #expect(run.code == 0, "\(run.errors)")
        return file
    }

    private func golden(_ task: String, _ shots: Int) throws -> JSONValue {
        let json = try JSONReader.read(String(contentsOfFile: questions + "/golden.json", encoding: .utf8))
        return try #require(json["runs"]?.array?.first { $0["task"]?.string == task && $0["fewshot"]?.int == shots })
    }

    @Test func scoresOfSeveralTasks() throws {
        let scratch = try Scratch(), file = try converted(scratch, "f16")
        let run = try QuernProcess.run(
            "eval", file, "--task", "mmlu", "--data", questions + "/mmlu.jsonl", "--task", "headqa_en", "--data", questions + "/headqa_en.jsonl", "--task", "pubmedqa",
            "--data", questions + "/pubmedqa.jsonl", "--output", scratch.path("lines"), "--json")
        #expect(run.code == 0, "\(run.errors)")
        let tasks = try #require(run.json["tasks"]?.array)
        for (task, name) in zip(tasks, ["mmlu", "headqa_en", "pubmedqa"]) {
            let expected = try golden(name, 0)
            #expect(task["task"]?.string == name && task["acc"]?.double == expected["acc"]?.double && task["fewshot"]?.int == 0)
            #expect(task["acc_norm"]?.double == expected["acc_norm"]?.double, "\(name)")
        }
        #expect(tasks[0]["subjects"]?.array?.compactMap { $0["task"]?.string } == ["mmlu_anatomy", "mmlu_college_biology"])
        // One question of pubmedqa is longer than the model's window.
        #expect(tasks[2]["truncated_questions"]?.int == 1 && tasks[1]["truncated_tokens"]?.int == 0)
        let lines = try scratch.text("lines").split(separator: "\n").map { try JSONReader.read(String($0)) }
        #expect(lines.count == 12 && lines.allSatisfy { $0["log_likelihoods"]?.array?.count == $0["choices"]?.array?.count })
        let values = try #require(golden("headqa_en", 0)["questions"]?.array?[0]["log_likelihoods"]?.array)
        let own = try #require(lines[5]["log_likelihoods"]?.array)
        #expect(lines[5]["id"]?.string == "test/own/2026/1" && zip(values, own).allSatisfy { abs(($0.double ?? 0) - ($1.double ?? 9)) < 1e-3 })
        // Neither progress nor anything else stays behind.
        #expect(try scratch.names() == ["f16.quern", "lines"])
    }

    @Test func examplesAndSubjects() throws {
        let scratch = try Scratch(), file = try converted(scratch, "f16")
        for arguments in [["--task", "mmlu_anatomy"], ["--task", "mmlu", "--subject", "anatomy"]] {
            let run = try QuernProcess.run(
                ["eval", file, "--data", questions + "/mmlu.jsonl", "--fewshot", "2", "--fewshot-data", questions + "/mmlu-examples.jsonl", "--json"] + arguments, input: [])
            #expect(run.code == 0, "\(run.errors)")
            let task = try #require(run.json["tasks"]?.array?.first)
            #expect(try task["acc"]?.double == golden("mmlu_anatomy", 2)["acc"]?.double && task["questions"]?.int == 3 && task["fewshot"]?.int == 2)
        }
        let text = try QuernProcess.run("eval", file, "--task", "mmlu_anatomy", "--data", questions + "/mmlu.jsonl", "--limit", "2")
        #expect(text.code == 0 && text.output.contains("mmlu_anatomy: 2 questions of ") && text.output.contains("Med42*"), "\(text.output)\(text.errors)")
        let row = text.output.split(separator: "\n").first { $0.contains("MMLU Anatomy") }
        #expect(row?.split(separator: " ").suffix(5).joined(separator: " ") == "67.4 62.2 56.3 80.0 77.8")
    }

    @Test func whatQuantizationChanged() throws {
        let scratch = try Scratch(), file = try converted(scratch, "q4"), original = try converted(scratch, "f16")
        for reference in [original, QuernProcess.fixture] {
            let run = try QuernProcess.run(
                "eval", file, "--against", reference, "--task", "headqa_en", "--data", questions + "/headqa_en.jsonl", "--task", "medqa_4options", "--data",
                questions + "/medqa_4options.jsonl", "--output", scratch.path("lines"), "--json")
            #expect(run.code == 0, "\(run.errors)")
            let tasks = try #require(run.json["tasks"]?.array)
            let lines = try scratch.text("lines").split(separator: "\n").map { try JSONReader.read(String($0)) }
            for (name, task) in zip(["headqa_en", "medqa_4options"], tasks) {
                let comparison = try #require(task["comparison"]), own = lines.filter { $0["task"]?.string == name }
                #expect(try comparison["reference_acc"]?.double == golden(name, 0)["acc"]?.double)
                let changed = own.filter { $0["choice"]?.int != $0["reference_choice"]?.int }
                #expect(comparison["changed"]?.int == changed.count && comparison["changes"]?.array?.count == changed.count)
                #expect(comparison["changes"]?.array?.compactMap { $0["line"]?.int } == changed.compactMap { $0["line"]?.int })
                #expect(try #require(comparison["mcnemar_p"]?.double) <= 1)
            }
            try FileManager.default.removeItem(atPath: scratch.path("lines"))
        }
        let other = try scratch.copyFixture()
        try scratch.replace("\"use_cache\": true", "\"use_cache\": false", in: "checkpoint/config.json")
        let noted = try QuernProcess.run("eval", file, "--against", other, "--task", "usmle", "--data", questions + "/usmle.jsonl", "--limit", "1", "--json")
        #expect(try noted.json["note"]?.string?.contains("is not the checkpoint that \(file) was made from") == true, "\(noted.errors)")
        let text = try QuernProcess.run("eval", file, "--against", original, "--task", "headqa_en", "--data", questions + "/headqa_en.jsonl")
        #expect(!text.output.contains("note  "))
        #expect(text.code == 0 && text.output.contains("McNemar p = ") && text.output.contains(" of 3 answers: "), "\(text.output)\(text.errors)")
    }

    /// Ended before its end and started again: the figures are those of one run, and what was finished is not computed again.
    @Test func interruptedRunsGoOn() throws {
        let scratch = try Scratch(), file = try converted(scratch, "q4"), state = scratch.path("state")
        let command = ["eval", file, "--task", "usmle", "--data", questions + "/usmle.jsonl", "--resume", state]
        let whole = try QuernProcess.run(command + ["--output", scratch.path("whole")], input: [])
        #expect(whole.code == 0, "\(whole.errors)")
        // A reference with a weight that is infinite ends the run when all own questions are scored.
        let damaged = try scratch.copyFixture()
        try scratch.edit("checkpoint/model-00002-of-00003.safetensors") { bytes in
            bytes[bytes.count / 2 / 2 * 2] = 0x00
            bytes[bytes.count / 2 / 2 * 2 + 1] = 0x7C
        }
        let ended = try QuernProcess.run(command + ["--against", damaged], input: [])
        #expect(ended.code == 1 && ended.errors.contains("is not finite"), "\(ended.errors)")
        // As if it had ended in the third question. A changed figure of a finished one shows that it is taken as it is.
        var lines = try scratch.text("state").split(separator: "\n").map(String.init)
        try #require(lines.count == 5)
        lines[1] = #"{"g":0,"q":0,"ll":[-0.5,-0.25]}"#
        try (lines.prefix(3).joined(separator: "\n") + "\n" + lines[3].prefix(9)).write(toFile: state, atomically: true, encoding: .utf8)
        let again = try QuernProcess.run(command + ["--output", scratch.path("again")], input: [])
        #expect(again.code == 0 && again.errors.contains("state: going on behind 2 of 4 questions"), "\(again.errors)")
        let (first, second) = (try scratch.text("whole").split(separator: "\n"), try scratch.text("again").split(separator: "\n"))
        #expect(first.dropFirst() == second.dropFirst() && second[0].contains("[-0.5,-0.25]") && first[0] != second[0])
        #expect(!FileManager.default.fileExists(atPath: state))
        try Data("something else\n".utf8).write(to: URL(filePath: state))
        let other = try QuernProcess.run(command, input: [])
        #expect(other.code == 1 && other.errors.contains("state: line 1 is no JSON: this is no file of eval's progress"), "\(other.errors)")
        #expect(try scratch.text("state") == "something else\n")
    }

    @Test func resultsOfSeveralRuns() throws {
        let scratch = try Scratch(), file = try converted(scratch, "q4")
        for task in ["medmcqa", "mmlu"] {
            let run = try QuernProcess.run("eval", file, "--task", task, "--data", "\(questions)/\(task).jsonl", "--json")
            try run.output.write(toFile: scratch.path("\(task).json"), atomically: true, encoding: .utf8)
        }
        let table = try QuernProcess.run("eval", "--table", scratch.path("medmcqa.json"), scratch.path("mmlu.json"))
        #expect(table.code == 0 && table.output.contains("MMLU College Biology") && table.output.contains("GPT-4*") && table.output.contains("q4"), "\(table.output)\(table.errors)")
        let json = try QuernProcess.run("eval", "--table", scratch.path("medmcqa.json"), "--json").json
        let row = try #require(json["rows"]?.array?.first { $0["task"]?.string == "medmcqa" })
        #expect(row["published"]?["Med42"]?.double == 60.9 && abs((row["measured"]?["q4"]?.double ?? 0) - 200.0 / 3) < 40)
        let broken = try QuernProcess.run("eval", "--table", questions + "/golden.json")
        #expect(broken.code == 1 && broken.errors.contains("golden.json: field 'tasks': is missing"), "\(broken.errors)")
    }

    @Test func requestsAreExplained() throws {
        let scratch = try Scratch(), file = try converted(scratch, "q4"), data = questions + "/usmle.jsonl"
        try Data("{\"question\":\"Q\",\"options\":[\"a\",\"b\"]}\n".utf8).write(to: URL(filePath: scratch.path("bad.jsonl")))
        let cases: [([String], Int32, String)] = [
            ([], 64, "Give --text or --task"),
            (["--task", "medqa", "--data", data], 64, "'medqa' is no task; known are mmlu"),
            (["--task", "usmle"], 64, "--task and --data go together: 1 and 0 are given."),
            (["--task", "usmle", "--data", data, "--fewshot", "1"], 64, "--fewshot needs --fewshot-data"),
            (["--task", "usmle", "--data", data, "--subject", "anatomy"], 64, "--subject goes with one --task mmlu."),
            (["--task", "usmle", "--data", data, "--text", data], 64, "--text and --task exclude each other."),
            (["--text", data, "--limit", "3"], 64, "need --task"),
            (["--task", "usmle", "--data", scratch.path("none.jsonl")], 1, "none.jsonl: cannot open"),
            (["--task", "usmle", "--data", scratch.path("bad.jsonl")], 1, "bad.jsonl: line 1: field 'answer': is missing, expected a text"),
            (["--task", "usmle", "--data", data, "--fewshot", "2", "--fewshot-data", questions + "/usmle-examples.jsonl"], 1, "holds 1 examples, expected at least 2"),
            (["--task", "headqa_en", "--data", questions + "/headqa_en.jsonl", "--context", "16", "--against", scratch.path("none")], 1, "none: cannot open"),
        ]
        for (arguments, code, message) in cases {
            let run = try QuernProcess.run(["eval", file] + arguments, input: [])
            #expect(run.code == code && run.errors.contains(message), "\(arguments): \(run.errors)")
        }
        #expect(try scratch.names() == ["bad.jsonl", "q4.quern"])
    }
}
