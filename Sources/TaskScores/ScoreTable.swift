package import StrictJSON

/// Results of several runs, side by side and beside published figures.
package struct ScoreTable: Sendable {
    package struct Score: Sendable, Equatable {
        package let percent: Double
        package let standardError: Double?
        let source: String
    }
    package struct Column: Sendable {
        package let model: String
        let digest: String
        package let fewShot: Int
        package fileprivate(set) var scores: [String: Score]
        /// Tasks of which only a part was scored.
        package fileprivate(set) var isPartial: Bool
    }

    package private(set) var columns: [Column] = []

    package init() {}

    /// Adds what `eval --task --json` wrote.
    package mutating func add(_ document: JSONValue, path: String) throws {
        func fail(_ place: String, _ found: JSONValue?, _ expected: String) -> TaskError {
            TaskError("\(path): field '\(place)': is \(found?.summary ?? "missing"), expected \(expected); give what 'quern eval --task ... --json' wrote")
        }
        guard let tasks = document["tasks"]?.array, !tasks.isEmpty else { throw fail("tasks", document["tasks"], "a list of results") }
        for side in ["", "reference"] {
            let owner = side.isEmpty ? document : document[side] ?? JSONValue.null
            if !side.isEmpty, owner.isNull { continue }
            guard let model = owner["model"]?.string else { throw fail("model", owner["model"], "a name") }
            guard let digest = owner["model_sha256"]?.string else { throw fail("model_sha256", owner["model_sha256"], "a digest") }
            for task in tasks {
                guard let shots = task["fewshot"]?.int, (0...1000).contains(shots) else { throw fail("fewshot", task["fewshot"], "a number of examples") }
                guard let subjects = task["subjects"]?.array, !subjects.isEmpty else { throw fail("subjects", task["subjects"], "a list of results") }
                for subject in subjects {
                    guard let name = subject["task"]?.string else { throw fail("task", subject["task"], "a name") }
                    let key = side.isEmpty ? "acc" : "reference_acc"
                    guard let mean = subject[key]?.double, (0...1).contains(mean) else { throw fail(key, subject[key], "a number in 0...1") }
                    let score = Score(percent: 100 * mean, standardError: subject["\(key)_stderr"]?.double.map { 100 * $0 }, source: path)
                    try add(score, name, model, digest, shots, isPartial: task["limit"]?.int != nil)
                }
            }
        }
    }

    private mutating func add(_ score: Score, _ task: String, _ model: String, _ digest: String, _ shots: Int, isPartial: Bool) throws {
        let place = columns.firstIndex { $0.digest == digest && $0.fewShot == shots } ?? columns.count
        if place == columns.count { columns.append(Column(model: model, digest: digest, fewShot: shots, scores: [:], isPartial: false)) }
        if let earlier = columns[place].scores[task], earlier.percent != score.percent {
            throw TaskError("\(score.source): \(task) of \(model) is \(score.percent) % here and \(earlier.percent) % in \(earlier.source); give one of them")
        }
        columns[place].scores[task] = score
        columns[place].isPartial = columns[place].isPartial || isPartial
    }

    /// Names of the columns, apart from each other.
    package var titles: [String] {
        columns.map { column in
            let shots = column.fewShot > 0 ? ", \(column.fewShot)-shot" : ""
            let isShared = columns.contains { $0.model == column.model && $0.digest != column.digest }
            return column.model + (isShared ? " \(column.digest.prefix(8))" : "") + shots + (column.isPartial ? " (part)" : "")
        }
    }

    /// Rows of Med42's card in its order, then the others in theirs.
    package var rows: [PublishedScores.Row] {
        var rows = PublishedScores.rows
        for task in columns.flatMap({ $0.scores.keys.sorted() }) where !rows.contains(where: { $0.task == task }) {
            rows.append(PublishedScores.Row(task: task, title: PublishedScores.title(of: task), percent: []))
        }
        return rows
    }
}
