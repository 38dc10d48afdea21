import ByteStorage
import StrictJSON
import TaskScores

/// The table of scores as text and as JSON.
struct ScoreTablePresentation {
    let table: ScoreTable

    /// Result files as `eval --task --json` writes them.
    static func read(_ paths: [String]) throws -> ScoreTablePresentation {
        var table = ScoreTable()
        for path in paths {
            let bytes = try ReadableFile(path: path).readAll(limit: 1 << 30)
            let document: JSONValue
            do throws(JSONError) { document = try JSONReader.read(bytes) } catch {
                throw TaskError("\(path): \(error); expected what 'quern eval --task ... --json' wrote")
            }
            try table.add(document, path: path)
        }
        return ScoreTablePresentation(table: table)
    }

    private static let mark = "*"

    var text: String {
        var text = TextTable(["%"] + table.titles + PublishedScores.models.map { $0 + Self.mark })
        for row in table.rows {
            let own = table.columns.map { column in column.scores[row.task].map(Self.cell) ?? "-" }
            let published = PublishedScores.models.indices.map { row.percent.indices.contains($0) ? row.percent[$0].map { Quantities.fixed($0, 1) } ?? "-" : "-" }
            text.add([row.title] + own + published)
        }
        return text.text + "\n  \(Self.mark) published on the model card of Med42 (m42-health/med42-70b), not measured here; zero-shot, Med-PaLM 2 5-shot"
    }

    private static func cell(_ score: ScoreTable.Score) -> String {
        Quantities.fixed(score.percent, 1) + (score.standardError.map { " +/- \(Quantities.fixed($0, 1))" } ?? "")
    }

    var document: JSONObject {
        let rows = table.rows.map { row in
            var object: JSONObject = ["task": JSONValue(row.task), "title": JSONValue(row.title)]
            var scores = JSONObject(), published = JSONObject()
            for (title, column) in zip(table.titles, table.columns) { scores.set(title, column.scores[row.task].map { JSONValue($0.percent) } ?? .null) }
            for (model, percent) in zip(PublishedScores.models, row.percent) { published.set(model, percent.map { JSONValue($0) } ?? .null) }
            object.set("measured", JSONValue(scores))
            object.set("published", JSONValue(published))
            return JSONValue(object)
        }
        return ["rows": JSONValue(rows)]
    }
}
