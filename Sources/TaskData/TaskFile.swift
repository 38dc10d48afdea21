package import ModelFiles
import StrictJSON

/// The questions of one data file, in the order of the file, subjects apart.
package struct TaskFile: Sendable {
    package struct Group: Sendable {
        /// Of MMLU; nil elsewhere.
        package let subject: String?
        package let questions: [TaskQuestion]

        package init(subject: String?, questions: [TaskQuestion]) { (self.subject, self.questions) = (subject, questions) }
    }

    package let kind: TaskKind
    package let path: String
    package let digest: Digest32
    /// In the order in which subjects first appear.
    package let groups: [Group]
    /// What the user should know about the data.
    package let notes: [String]

    package init(kind: TaskKind, path: String) throws { try self.init(kind: kind, RecordReader(path: path, headerless: kind.headerless)) }

    package init(kind: TaskKind, path: String, bytes: [UInt8]) throws(DataError) {
        try self.init(kind: kind, RecordReader(path: path, bytes: bytes, headerless: kind.headerless))
    }

    private init(kind: TaskKind, _ reader: RecordReader) throws(DataError) {
        (self.kind, path, digest) = (kind, reader.path, reader.digest)
        var order: [String?] = [], bySubject: [String?: [TaskQuestion]] = [:], lineOfID: [String: Int] = [:]
        var skipped = 0
        for record in reader.records {
            let question = try kind.question(record)
            if let id = question.id {
                if let earlier = lineOfID[id] { throw DataError(path: path, line: question.line, field: "id", "is '\(id)', which line \(earlier) has as well; every question may be there once") }
                lineOfID[id] = question.line
            }
            if case .mmlu(let subject?) = kind, question.subject != subject {
                skipped += 1
                continue
            }
            if bySubject[question.subject] == nil { order.append(question.subject) }
            bySubject[question.subject, default: []].append(question)
        }
        groups = order.map { Group(subject: $0, questions: bySubject[$0]!) }
        guard !groups.isEmpty else {
            let found = Set(reader.records.compactMap { $0.optional("subject")?.string }).sorted().prefix(8).joined(separator: ", ")
            throw DataError(path: path, field: "subject", "no row is about '\(kind.name.dropFirst(5))'; the subjects here are \(found)")
        }
        if case .medmcqa = kind, let questions = groups.first?.questions, questions.count >= Self.enoughToTell, !questions.contains(where: { $0.answer == 0 }) {
            throw DataError(path: path, field: "cop", "is never 0 in \(questions.count) rows, expected answers counted from 0; this data seems to count them from 1")
        }
        notes = skipped > 0 ? ["\(path): \(skipped) rows about other subjects left out"] : []
    }

    /// Rows among which each answer is sure to appear.
    private static let enoughToTell = 50

    package var count: Int { groups.reduce(0) { $0 + $1.questions.count } }
}

/// Examples that stand before each question, solved.
package struct FewShot: Sendable {
    package let count: Int
    package let digest: Digest32?
    /// What the user should know about the examples.
    package let notes: [String]
    private let texts: [String?: String]

    package static let none = FewShot()

    private init() { (count, digest, notes, texts) = (0, nil, [], [:]) }

    /// The first `count` questions of `file`, of each subject of `task` for itself.
    package init(count: Int, file: TaskFile, for task: TaskFile) throws(DataError) {
        (self.count, digest) = (count, file.digest)
        var texts: [String?: String] = [:], notes = file.notes
        for group in task.groups {
            let examples = file.groups.first { $0.subject == group.subject }?.questions ?? []
            guard examples.count >= count else {
                let about = group.subject.map { " about '\($0)'" } ?? ""
                throw DataError(path: file.path, "holds \(examples.count) examples\(about), expected at least \(count); give a smaller --fewshot or another file")
            }
            for example in examples.prefix(count) {
                if let same = group.questions.first(where: { $0.text == example.text }) {
                    notes.append("\(file.path): line \(example.line): this example is also scored (\(task.path): line \(same.line)); take examples of another split")
                }
            }
            texts[group.subject] = examples.prefix(count).map { $0.solved + "\n\n" }.joined()
        }
        (self.texts, self.notes) = (texts, notes)
    }

    /// Everything before the question.
    package func header(_ kind: TaskKind, subject: String?) -> String { kind.description(subject: subject) + (texts[subject] ?? "") }
}
