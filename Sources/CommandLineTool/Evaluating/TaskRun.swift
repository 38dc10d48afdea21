import ByteStorage
import Conversion
import Glibc
import ModelFiles
import TaskData
import TaskScores

/// Scores tasks with a model, and goes on where an interrupted run was.
struct TaskRun {
    let tasks: [LoadedTask]
    let limit: Int?
    let window: Int?
    /// Where progress is kept; nil for files beside the model.
    let resume: String?
    let isQuiet: Bool

    /// Results of one model: [task][group][question].
    typealias Results = [[[ScoredQuestion]]]

    /// Seconds between two calls that wait for the disk.
    private static let syncInterval = 30.0

    /// - Parameters:
    ///   - part: position of the model among those that are scored.
    ///   - kept: gets the files of progress, which the caller removes when everything is done.
    func score(_ model: TaskModel, beside file: String, part: Int, kept: (TaskProgressFile) -> Void) throws -> Results {
        let window = window ?? model.contextLength
        var results: Results = []
        for (number, task) in tasks.enumerated() {
            let tokenized = try tokenize(task, model, window)
            let key = key(task, model, window)
            let path = resume.map { tasks.count > 1 || part > 0 ? "\($0).\(part * tasks.count + number + 1)" : $0 } ?? "\(file).eval-\(key.hex.prefix(8)).progress"
            let progress = try open(path, key, tokenized)
            if let progress { kept(progress) }
            if let count = progress?.finished.count, count > 0, !isQuiet { Terminal.note("\(path): going on behind \(count) of \(task.count) questions") }
            let found = try score(task, tokenized, model, progress)
            results.append(task.groups.indices.map { group in
                task.groups[group].questions.indices.map { index in
                    ScoredQuestion(
                        question: task.groups[group].questions[index], logLikelihoods: found[.init(group: group, question: index)]!,
                        dropped: tokenized[group][index].dropped)
                }
            })
        }
        return results
    }

    /// Nil where the model's folder cannot be written, which is no reason not to score.
    private func open(_ path: String, _ key: Digest32, _ tokenized: [[TokenizedQuestion]]) throws -> TaskProgressFile? {
        do { return try TaskProgressFile(path: path, key: key, choices: tokenized.map { $0.map(\.choices.count) }) } catch let error as FileError {
            guard resume == nil, [EACCES, EPERM, EROFS].contains(error.errno) else { throw error }
            Terminal.note("\(error); an interrupted run will have to begin anew, unless --resume names a file that can be written")
            return nil
        }
    }

    private func score(
        _ task: LoadedTask, _ tokenized: [[TokenizedQuestion]], _ model: TaskModel, _ progress: TaskProgressFile?
    ) throws -> [TaskProgressFile.Place: [Double]] {
        let finished = progress?.finished ?? [:]
        var found = finished
        let left = tokenized.enumerated().flatMap { group, questions in
            questions.enumerated().compactMap { found[.init(group: group, question: $0)] == nil ? $1 : nil }
        }
        guard !left.isEmpty else { return found }
        let total = left.reduce(0.0) { $0 + Double($1.tokens) }
        let tail = left.flatMap(\.choices).map { $0.continuation.count - 1 }.max() ?? 0
        let scorer = try model.scorer(context: left.map(\.longest).max()!, tail: tail)
        var meter = StepMeter(isQuiet: isQuiet)
        var syncedAt = Terminal.seconds()
        try scorer.score(tokenized, isDone: { finished[.init(group: $0, question: $1)] != nil }) { group, index, logLikelihoods in
            let place = TaskProgressFile.Place(group: group, question: index)
            found[place] = logLikelihoods
            try progress?.add(place, logLikelihoods)
            if Terminal.seconds() - syncedAt > Self.syncInterval {
                try progress?.sync()
                syncedAt = Terminal.seconds()
            }
        } progress: { read in
            meter.show("\(model.name), \(task.file.kind.name): question \(found.count) of \(task.count)", done: read, of: total)
        }
        meter.clear()
        return found
    }

    private func tokenize(_ task: LoadedTask, _ model: TaskModel, _ window: Int) throws -> [[TokenizedQuestion]] {
        try task.groups.map { group in
            let header = task.examples.header(task.file.kind, subject: group.subject)
            return try group.questions.map { question in
                do throws(TaskError) {
                    return try TokenizedQuestion(text: header + question.text, choices: question.choices, tokenizer: model.tokenizer, window: window)
                } catch { throw DataError(path: task.file.path, line: question.line, error.description) }
            }
        }
    }

    /// Changes with everything that the figures depend on.
    private func key(_ task: LoadedTask, _ model: TaskModel, _ window: Int) -> Digest32 {
        let parts = [
            ToolVersion.text, model.identity.hex, model.arithmetic, task.file.kind.name, task.file.digest.hex, "\(task.examples.count)",
            task.examples.digest?.hex ?? "", "\(limit ?? 0)", "\(window)",
        ]
        return Digest32.of(Array(parts.joined(separator: "\n").utf8))
    }
}
