import ByteStorage
import Glibc
import ModelFiles
import StrictJSON
import TaskData
import TaskScores
import TestSupport
import Testing

/// Figures from answers, progress, and the table.
@Suite struct ScoreTests {
    private func scored(_ logLikelihoods: [Double], answer: Int, choices: [String] = ["A", "B", "C"]) -> ScoredQuestion {
        ScoredQuestion(
            question: TaskQuestion(line: 1, id: nil, subject: nil, text: "Q\nAnswer:", choices: choices, answer: answer), logLikelihoods: logLikelihoods, dropped: 0)
    }

    @Test func choices() {
        // The first of equals; the length counts in scalars.
        #expect(scored([-2, -1, -1], answer: 1).choice == 1)
        let long = scored([-3, -4, -9], answer: 1, choices: ["e", "e\u{301}\u{301}\u{301}", "xyz"])
        #expect(long.choice == 0 && long.choiceNormalized == 1 && !long.isRight && long.isRightNormalized)
        #expect(scored([-1, -2, -3], answer: 0, choices: ["", "b", "c"]).choiceNormalized == 1)
    }

    @Test func accuracies() {
        let four = Accuracy([true, true, false, false])
        // Standard deviation sqrt(4 x 0.25 / 3), divided by sqrt 4.
        #expect(four.mean == 0.5 && abs((four.standardError ?? 0) - (1.0 / 3).squareRoot() / 2) < 1e-15)
        #expect(Accuracy([true]).standardError == nil)
        #expect(Accuracy(pooling: [four]).standardError == four.standardError)
        let pooled = Accuracy(pooling: [four, Accuracy([true, true])])
        #expect(pooled.count == 6 && pooled.right == 4 && abs((pooled.standardError ?? 0) - (3 * 4 * (1.0 / 12) / 4 / 6).squareRoot()) < 1e-15)
    }

    /// p computed by summing binomial coefficients as whole numbers.
    @Test func changedAnswers() {
        func compare(lost: Int, gained: Int, same: Int) -> AnswerComparison {
            let right = scored([-1, -2, -3], answer: 0), wrong = scored([-2, -1, -3], answer: 0)
            let own = Array(repeating: wrong, count: lost) + Array(repeating: right, count: gained + same)
            let other = Array(repeating: right, count: lost) + Array(repeating: wrong, count: gained) + Array(repeating: right, count: same)
            return AnswerComparison(own, reference: other)
        }
        let nine = compare(lost: 8, gained: 1, same: 11)
        #expect(nine.changed == Array(0..<9) && nine.lost == 8 && nine.gained == 1)
        #expect(abs(nine.difference + 7.0 / 20) < 1e-15 && abs(nine.p - 2 * (1.0 + 9) / 512) < 1e-12)
        #expect(abs(nine.standardError - (9 - 49.0 / 20).squareRoot() / 20) < 1e-15)
        #expect(compare(lost: 0, gained: 0, same: 3).p == 1 && compare(lost: 2, gained: 2, same: 0).p == 1)
        let large = compare(lost: 1200, gained: 1000, same: 1)
        // By the normal approximation with continuity correction, z = 199 / sqrt 2200.
        #expect(abs(large.p - erfc(199 / 2200.0.squareRoot() / 2.0.squareRoot())) < 1e-6)
        // Wrong before, wrong in another way now
        let other = AnswerComparison([scored([-3, -2, -1], answer: 0)], reference: [scored([-3, -1, -2], answer: 0)])
        #expect(other.changed == [0] && other.lost == 0 && other.gained == 0)
    }

    // MARK: Progress

    private func message(_ body: () throws -> Void) -> String {
        do { try body() } catch { return "\(error)" }
        return "nothing was thrown"
    }

    @Test func progressGoesOn() throws {
        let folder = try TemporaryFolder(), path = folder.path("p")
        let key = Digest32.of([1]), choices = [[2, 3], [2]]
        do {
            let file = try TaskProgressFile(path: path, key: key, choices: choices)
            #expect(file.finished.isEmpty)
            try file.add(.init(group: 0, question: 1), [-1.25, -0.1, -1e-300])
            try file.add(.init(group: 1, question: 0), [-2, -3])
            #expect(message { _ = try TaskProgressFile(path: path, key: key, choices: choices) }.contains("another run is writing it now"))
        }
        let whole = try ReadableFile(path: path).readAll(limit: 1 << 20)
        // A line that was cut is forgotten, whole lines are not.
        for length in 0...whole.count {
            try write(Array(whole[..<length]), to: path)
            let finished = message { _ = try TaskProgressFile(path: path, key: key, choices: choices) }
            #expect(finished == "nothing was thrown")
            let file = try TaskProgressFile(path: path, key: key, choices: choices)
            #expect(file.finished.count == max(0, whole[..<length].count(where: { $0 == 0x0A }) - 1))
            if length == whole.count { #expect(file.finished[.init(group: 0, question: 1)] == [-1.25, -0.1, -1e-300]) }
        }
        try write(whole, to: path)
        #expect(message { _ = try TaskProgressFile(path: path, key: Digest32.of([2]), choices: choices) }
            == "\(path): this is the progress of another evaluation: model, data or settings differ; remove it to begin anew, or name another with --resume")
        #expect(message { _ = try TaskProgressFile(path: path, key: key, choices: [[2, 2], [2]]) }.contains("line 2 breaks the format"))
        for text in ["{\"a\":1}\n", "no JSON\n", "{\"quern_task_progress\":2,\"key\":\"\(key.hex)\"}\n"] {
            try write(Array(text.utf8), to: path)
            #expect(message { _ = try TaskProgressFile(path: path, key: key, choices: choices) }.contains("no file of eval's progress"))
            // Somebody else's file is left as it is.
            #expect(try ReadableFile(path: path).readAll(limit: 99) == Array(text.utf8))
        }
    }

    private func write(_ bytes: [UInt8], to path: String) throws {
        let writer = try AtomicFileWriter(path: path, reserve: 0)
        try bytes.withUnsafeBytes { try writer.write($0, at: 0) }
        try writer.finish(size: UInt64(bytes.count))
    }

    // MARK: Table

    private func result(_ model: String, digest: String, _ scores: [(String, Double)], shots: Int = 0) -> JSONValue {
        let subjects = scores.map { task, acc -> JSONValue in ["task": JSONValue(task), "acc": JSONValue(acc), "acc_stderr": 0.01] }
        return ["model": JSONValue(model), "model_sha256": JSONValue(digest), "tasks": [["task": "x", "fewshot": JSONValue(shots), "subjects": JSONValue(subjects)]]]
    }

    @Test func resultsSideBySide() throws {
        var table = ScoreTable()
        try table.add(result("m-q4", digest: "aa", [("mmlu_anatomy", 0.5), ("headqa_en", 0.25)]), path: "a.json")
        try table.add(result("m-q4", digest: "aa", [("medmcqa", 0.75)]), path: "b.json")
        try table.add(result("m-q4", digest: "aa", [("mmlu_anatomy", 0.625)], shots: 5), path: "c.json")
        try table.add(result("m-q4", digest: "bb", [("mmlu_anatomy", 0.5)]), path: "d.json")
        #expect(table.titles == ["m-q4 aa", "m-q4 aa, 5-shot", "m-q4 bb"])
        #expect(table.columns.map { $0.scores["mmlu_anatomy"]?.percent } == [50, 62.5, 50] && table.columns[0].scores["medmcqa"]?.percent == 75)
        #expect(table.rows.map(\.task).prefix(10) == PublishedScores.rows.map(\.task).prefix(10) && table.rows.last?.title == "HEAD-QA (English)")
        #expect(message { try table.add(result("m-q4", digest: "aa", [("medmcqa", 0.5)]), path: "e.json") } == "e.json: medmcqa of m-q4 is 50.0 % here and 75.0 % in b.json; give one of them")
        #expect(message { try table.add(["perplexity": 3], path: "f.json") } == "f.json: field 'tasks': is missing, expected a list of results; give what 'quern eval --task ... --json' wrote")
        #expect(message { try table.add(result("m", digest: "cc", [("medqa_4options", 50)]), path: "g.json") }.hasPrefix("g.json: field 'acc': is 50"))
    }

    @Test func publishedRows() {
        #expect(PublishedScores.rows.count == 10 && PublishedScores.rows.allSatisfy { $0.percent.count == PublishedScores.models.count })
        #expect(PublishedScores.rows.allSatisfy { TaskKind(name: $0.task)?.name == $0.task })
        #expect(PublishedScores.title(of: "mmlu_high_school_physics") == "MMLU High School Physics")
    }
}
