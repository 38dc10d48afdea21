import ByteStorage
import Conversion
import Kernels
import StrictJSON
import TaskData
import TaskScores

/// `eval --task`.
extension EvalCommand {
    func runTasks() throws {
        let start = Terminal.seconds(), file = files[0]
        let loaded = try tasks.load()
        if !json { for note in loaded.flatMap(\.notes) { Terminal.note(note) } }
        let output = try tasks.output.map { path in
            try OutputFile.check(path, option: "--output", inputs: tasks.data + tasks.fewshotData, earlier: ("list of answers", TaskReport.start))
            return try AtomicFileWriter(path: path, reserve: 0)
        }
        if let output { Interruption.install { output.discard() } }
        var isWritten = false
        defer { if !isWritten { output?.discard() } }
        let options = TaskModelOptions(
            element: kv, isExact: exact, budget: computing.budget(atMost: Self.largestBudget), pool: WorkerPool(runningOn: computing.threads))
        let model = try TaskModel(path: file, options: options)
        let reference = try against.map { try referenceModel($0, model, options) }
        let window = tasks.context ?? model.contextLength
        if window > model.contextLength, !json {
            Terminal.note("\(file): made for \(model.contextLength) tokens; questions longer than that are read with positions that it may not know")
        }
        let run = TaskRun(tasks: loaded, limit: tasks.limit, window: window, resume: resume, isQuiet: json)
        var kept: [TaskProgressFile] = []
        let own = TaskReport.Side(model: model, results: try run.score(model, beside: file, part: 0) { kept.append($0) })
        let other = try reference.map { reference in
            TaskReport.Side(model: reference, results: try run.score(reference, beside: file, part: 1) { kept.append($0) })
        }
        let isOther = reference.map { $0.origin != model.origin } ?? false
        let note = isOther ? "\(against!) is not the checkpoint that \(file) was made from, nor made from it: config or shards differ" : nil
        let report = TaskReport(tasks: loaded, window: window, own: own, reference: other, note: note, seconds: Terminal.seconds() - start)
        if let output {
            let lines = report.lines
            try lines.withUnsafeBytes { try output.write($0, at: 0) }
            try output.finish(size: UInt64(lines.count))
            isWritten = true
        }
        try show(report)
        try Terminal.finishOutput()
        for progress in kept { progress.remove() }
    }

    private func referenceModel(_ path: String, _ model: TaskModel, _ options: TaskModelOptions) throws -> TaskModel {
        // As it runs, with the cache that is its own default and exact products.
        var options = options
        (options.element, options.isExact) = (nil, true)
        let reference = try TaskModel(path: path, options: options, tokenizer: model.tokenizer)
        guard reference.vocabulary == model.vocabulary else {
            throw ConversionError("\(path): vocabulary of \(reference.vocabulary) tokens, \(files[0]) has \(model.vocabulary); give a file of the same model")
        }
        return reference
    }

    private func show(_ report: TaskReport) throws {
        if json { return Terminal.document(report.document) }
        print(report.text)
        var table = ScoreTable()
        try table.add(JSONValue(report.document), path: files[0])
        if PublishedScores.rows.contains(where: { row in table.columns.contains { $0.scores[row.task] != nil } }) { print("\n" + ScoreTablePresentation(table: table).text) }
    }
}
