import ByteStorage
import Conversion
import ModelFiles
import StrictJSON
import TaskData
import TaskScores

/// The result of `eval --task` as text, as JSON, and as a line per question.
struct TaskReport {
    struct Side {
        let model: TaskModel
        let results: TaskRun.Results
    }

    let tasks: [LoadedTask]
    let window: Int
    let own: Side
    let reference: Side?
    /// About the reference.
    let note: String?
    let seconds: Double

    private func comparison(_ task: Int) -> AnswerComparison? {
        reference.map { AnswerComparison(own.results[task].flatMap { $0 }, reference: $0.results[task].flatMap { $0 }) }
    }

    private func summary(_ side: Side, _ task: Int) -> TaskSummary {
        TaskSummary(zip(tasks[task].groups, side.results[task]).map { ($0.subject, $1) })
    }

    // MARK: JSON

    var document: JSONObject {
        var object = Self.describe(own.model)
        if let reference { object.set("reference", JSONValue(Self.describe(reference.model))) }
        object.set("window", JSONValue(window))
        object.set("tasks", JSONValue(tasks.indices.map { JSONValue(document(of: $0)) }))
        if let note { object.set("note", JSONValue(note)) }
        object.set("seconds", JSONValue(seconds))
        return object
    }

    private static func describe(_ model: TaskModel) -> JSONObject {
        ["model": JSONValue(model.name), "model_sha256": JSONValue(model.identity.hex), "arithmetic": JSONValue(model.arithmetic)]
    }

    private func document(of index: Int) -> JSONObject {
        let task = tasks[index], summary = summary(own, index)
        var object: JSONObject = [
            "task": JSONValue(task.file.kind.name), "data": JSONValue(task.file.path), "data_sha256": JSONValue(task.file.digest.hex),
            "fewshot": JSONValue(task.examples.count), "questions": JSONValue(task.count),
        ]
        if let limit = task.limit { object.set("limit", JSONValue(limit)) }
        add(summary.accuracy, summary.normalized, task, to: &object)
        object.set("truncated_questions", JSONValue(summary.cut))
        object.set("truncated_tokens", JSONValue(summary.dropped))
        let other = reference.map { self.summary($0, index) }
        object.set("subjects", JSONValue(summary.groups.indices.map { group in
            var part: JSONObject = ["task": JSONValue(task.name(task.groups[group])), "questions": JSONValue(summary.groups[group].accuracy.count)]
            add(summary.groups[group].accuracy, summary.groups[group].normalized, task, to: &part)
            if let other { Self.add("reference_acc", other.groups[group].accuracy, to: &part) }
            return JSONValue(part)
        }))
        if let comparison = comparison(index) { object.set("comparison", JSONValue(document(of: comparison, index))) }
        return object
    }

    private static func add(_ key: String, _ accuracy: Accuracy, to object: inout JSONObject) {
        object.set(key, JSONValue(accuracy.mean))
        object.set("\(key)_stderr", accuracy.standardError.map { JSONValue($0) } ?? .null)
    }

    private func add(_ accuracy: Accuracy, _ normalized: Accuracy, _ task: LoadedTask, to object: inout JSONObject) {
        Self.add("acc", accuracy, to: &object)
        if task.file.kind.reportsNormalized { Self.add("acc_norm", normalized, to: &object) }
    }

    private func document(of comparison: AnswerComparison, _ task: Int) -> JSONObject {
        let here = own.results[task].flatMap { $0 }, there = reference!.results[task].flatMap { $0 }
        var object: JSONObject = ["changed": JSONValue(comparison.changed.count), "lost": JSONValue(comparison.lost), "gained": JSONValue(comparison.gained)]
        Self.add("reference_acc", comparison.reference, to: &object)
        object.set("difference", JSONValue(comparison.difference))
        object.set("difference_stderr", JSONValue(comparison.standardError))
        object.set("mcnemar_p", JSONValue(comparison.p))
        object.set("changes", JSONValue(comparison.changed.map { index in
            var change: JSONObject = ["line": JSONValue(here[index].question.line)]
            if let id = here[index].question.id { change.set("id", JSONValue(id)) }
            change.set("reference_choice", JSONValue(there[index].choice))
            change.set("choice", JSONValue(here[index].choice))
            change.set("answer", JSONValue(here[index].question.answer))
            return JSONValue(change)
        }))
        return object
    }

    /// With which `lines` begin.
    static let start = Array("{\"task\":".utf8)

    /// A JSON object per question, in the order of the data.
    var lines: [UInt8] {
        var bytes: [UInt8] = []
        for (task, loaded) in tasks.enumerated() {
            for (group, questions) in own.results[task].enumerated() {
                for (index, scored) in questions.enumerated() {
                    let question = scored.question
                    var line: JSONObject = ["task": JSONValue(loaded.name(loaded.groups[group])), "line": JSONValue(question.line)]
                    if let id = question.id { line.set("id", JSONValue(id)) }
                    line.set("choices", JSONValue(question.choices.map { JSONValue($0) }))
                    line.set("answer", JSONValue(question.answer))
                    Self.add(scored, loaded, prefix: "", to: &line)
                    if let reference {
                        let other = reference.results[task][group][index]
                        Self.add(other, loaded, prefix: "reference_", to: &line)
                        line.set("changed", JSONValue(other.choice != scored.choice))
                    }
                    if scored.dropped > 0 { line.set("truncated_tokens", JSONValue(scored.dropped)) }
                    bytes += JSONValue(line).serialized() + [UInt8(ascii: "\n")]
                }
            }
        }
        return bytes
    }

    private static func add(_ scored: ScoredQuestion, _ task: LoadedTask, prefix: String, to line: inout JSONObject) {
        line.set("\(prefix)log_likelihoods", JSONValue(scored.logLikelihoods.map { JSONValue($0) }))
        line.set("\(prefix)choice", JSONValue(scored.choice))
        line.set("\(prefix)acc", JSONValue(scored.isRight ? 1 : 0))
        guard task.file.kind.reportsNormalized else { return }
        line.set("\(prefix)choice_norm", JSONValue(scored.choiceNormalized))
        line.set("\(prefix)acc_norm", JSONValue(scored.isRightNormalized ? 1 : 0))
    }

    // MARK: Text

    var text: String {
        var lines: [String] = []
        for index in tasks.indices {
            let task = tasks[index], summary = summary(own, index)
            lines.append("\(task.file.kind.name): \(task.count) \(task.count == 1 ? "question" : "questions") of \(task.file.path), \(task.examples.count)-shot")
            lines += figures(summary, task, isOfReference: false)
            if summary.cut > 0 {
                lines.append("  cut          \(summary.cut) \(summary.cut == 1 ? "question" : "questions") longer than \(window) tokens lost \(summary.dropped) tokens at the beginning")
            }
            if let comparison = comparison(index) { lines += self.lines(of: comparison, index) }
        }
        if let note { lines.append("note           \(Self.visible(note))") }
        lines.append("time           \(Quantities.duration(seconds))")
        return lines.joined(separator: "\n")
    }

    private func figures(_ summary: TaskSummary, _ task: LoadedTask, isOfReference: Bool) -> [String] {
        var lines: [String] = []
        if summary.groups.count > 1 {
            for group in summary.groups { lines.append("  \(Self.percent(group.accuracy))  \(group.subject ?? "")") }
        }
        lines.append("  acc          \(Self.percent(summary.accuracy))")
        if task.file.kind.reportsNormalized { lines.append("  acc_norm     \(Self.percent(summary.normalized))") }
        return lines
    }

    static func percent(_ accuracy: Accuracy) -> String {
        "\(Quantities.fixed(100 * accuracy.mean, 2))" + (accuracy.standardError.map { " +/- \(Quantities.fixed(100 * $0, 2))" } ?? "") + " % (\(accuracy.right) of \(accuracy.count))"
    }

    /// Changed answers that are listed; JSON has them all.
    private static let listed = 20

    private func lines(of comparison: AnswerComparison, _ task: Int) -> [String] {
        let here = own.results[task].flatMap { $0 }, there = reference!.results[task].flatMap { $0 }
        var lines = [
            "  reference    \(Self.percent(comparison.reference)), \(reference!.model.name)",
            "  difference   \(Quantities.fixed(100 * comparison.difference, 2)) +/- \(Quantities.fixed(100 * comparison.standardError, 2)) points, questions paired; "
                + "McNemar p = \(Quantities.fixed(comparison.p, 3))",
            "  changed      \(comparison.changed.count) of \(comparison.count) answers: \(comparison.lost) right to wrong, \(comparison.gained) wrong to right, "
                + "\(comparison.changed.count - comparison.lost - comparison.gained) wrong to wrong",
        ]
        for index in comparison.changed.prefix(Self.listed) {
            let question = here[index].question
            func name(_ choice: Int) -> String {
                let text = question.choices[choice]
                return text.count <= 20 ? text : "\(text.prefix(20))…"
            }
            let id = question.id.map { " (\($0))" } ?? ""
            lines.append("    line \(question.line)\(id): \(name(there[index].choice)) became \(name(here[index].choice)), right is \(name(question.answer))")
        }
        if comparison.changed.count > Self.listed { lines.append("    and \(comparison.changed.count - Self.listed) more, which --json and --output list") }
        return lines.map { Self.visible($0) }
    }

    /// Text of a data file must not steer the terminal.
    private static func visible(_ text: String) -> String {
        String(String.UnicodeScalarView(text.unicodeScalars.map { $0.properties.generalCategory == .control ? "\u{FFFD}" : $0 }))
    }
}
