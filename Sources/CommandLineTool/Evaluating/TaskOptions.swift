import ArgumentParser
import ByteStorage
import Conversion
import StrictJSON
import TaskData
import TaskScores

/// Options of `eval --task`.
struct TaskOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "A benchmark of multiple-choice questions: \(TaskKind.names.joined(separator: ", ")). May be given several times, each with its --data.", valueName: "task"))
    var task: [String] = []
    @Option(help: ArgumentHelp("The task's questions, JSON lines or CSV with the published column names.", valueName: "file"), completion: .file()) var data: [String] = []
    @Option(help: ArgumentHelp("The subject of MMLU questions: takes the rows about it, or says what rows without a subject column are about.", valueName: "name"))
    var subject: String?
    @Option(help: ArgumentHelp("Put N solved examples before each question.", valueName: "n")) var fewshot: Int?
    @Option(help: ArgumentHelp("Where the examples are: the first N of the file, for MMLU of each subject. One file for all tasks, or one per --task.", valueName: "file"), completion: .file())
    var fewshotData: [String] = []
    @Option(help: ArgumentHelp("Score the first N questions only, for MMLU of each subject.", valueName: "n")) var limit: Int?
    @Option(help: ArgumentHelp("Largest number of tokens per question; the beginning of longer ones is dropped. Default: what the model was made for.", valueName: "tokens"))
    var context: Int?
    @Option(help: ArgumentHelp("Write a JSON line per question.", valueName: "file"), completion: .file()) var output: String?
    @Flag(help: "Show result files of eval --task --json side by side, beside published scores. FILE names them; more may follow.") var table = false

    func validate() throws {
        for name in task where TaskKind(name: name) == nil {
            throw ValidationError("--task: '\(name)' is no task; known are \(TaskKind.names.joined(separator: ", ")).")
        }
        if task.count != data.count { throw ValidationError("--task and --data go together: \(task.count) and \(data.count) are given.") }
        if let subject {
            guard TaskKind.subject(subject) != nil else { throw ValidationError("--subject must be a name such as anatomy or college_biology.") }
            guard task == ["mmlu"] else { throw ValidationError("--subject goes with one --task mmlu.") }
        }
        if let fewshot, !(0...100).contains(fewshot) { throw ValidationError("--fewshot must be within 0...100.") }
        if fewshot ?? 0 > 0, fewshotData.count != 1, fewshotData.count != task.count {
            throw ValidationError("--fewshot needs --fewshot-data: one file, or one for each --task.")
        }
        if !fewshotData.isEmpty, fewshot ?? 0 == 0 { throw ValidationError("--fewshot-data needs --fewshot: the number of examples.") }
        if let limit, limit < 1 { throw ValidationError("--limit must be at least 1.") }
        if let context, !(16...(1 << 20)).contains(context) { throw ValidationError("--context must be within 16...1048576.") }
        if task.isEmpty, subject != nil || fewshot != nil || limit != nil || context != nil || output != nil {
            throw ValidationError("--subject, --fewshot, --limit, --context and --output need --task.")
        }
        if table, !task.isEmpty { throw ValidationError("--table reads results; leave --task out.") }
    }

    /// The questions and their examples, read and checked before any model is opened.
    func load() throws -> [LoadedTask] {
        try task.indices.map { index in
            let kind = subject.flatMap(TaskKind.subject).map { TaskKind.mmlu(subject: $0) } ?? TaskKind(name: task[index])!
            let file = try TaskFile(kind: kind, path: data[index])
            var examples = FewShot.none
            if let fewshot, fewshot > 0 {
                let path = fewshotData[fewshotData.count == 1 ? 0 : index]
                examples = try FewShot(count: fewshot, file: TaskFile(kind: kind, path: path), for: file)
            }
            return LoadedTask(file: file, examples: examples, limit: limit)
        }
    }
}

/// Questions that are to be scored.
struct LoadedTask {
    let file: TaskFile
    let examples: FewShot
    let limit: Int?
    let groups: [TaskFile.Group]

    init(file: TaskFile, examples: FewShot, limit: Int?) {
        (self.file, self.examples, self.limit) = (file, examples, limit)
        groups = file.groups.map { TaskFile.Group(subject: $0.subject, questions: Array($0.questions.prefix(limit ?? .max))) }
    }

    var notes: [String] { file.notes + examples.notes }
    var count: Int { groups.reduce(0) { $0 + $1.questions.count } }

    /// The name of one subject's result.
    func name(_ group: TaskFile.Group) -> String { group.subject.map { "mmlu_\($0)" } ?? file.kind.name }
}
