import ByteStorage
package import ModelFiles
import StrictJSON

/// Keeps scored questions, so that an interrupted run goes on. Bound to model, data and settings by a key. Each question is a line that is appended
/// when it is known: a crash costs at most the line that was being written. Holds figures, no text.
///
/// Lines: `{"quern_task_progress":1,"key":HEX}`, then per question `{"g":GROUP,"q":QUESTION,"ll":[...]}`, both counted from 0.
package final class TaskProgressFile {
    package struct Place: Hashable, Sendable {
        package let group, question: Int
        package init(group: Int, question: Int) { (self.group, self.question) = (group, question) }
    }

    package let path: String
    private let file: AppendingFile
    /// What earlier runs found.
    package let finished: [Place: [Double]]
    private static let largestFile: UInt64 = 1 << 30

    /// Opens or creates the file.
    ///
    /// - Parameter choices: number of choices of each question of each group.
    package init(path: String, key: Digest32, choices: [[Int]]) throws {
        self.path = path
        file = try AppendingFile(path: path)
        func fail(_ text: String) -> TaskError { TaskError("\(path): \(text); remove it to begin anew, or name another with --resume") }
        let lines = try file.readLines(limit: Self.largestFile).split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).dropLast()
        var finished: [Place: [Double]] = [:]
        for (number, line) in lines.enumerated() {
            guard let value = try? JSONReader.read(Array(line)) else { throw fail("line \(number + 1) is no JSON: this is no file of eval's progress, or it is damaged") }
            if number == 0 {
                guard value["quern_task_progress"]?.int == 1, let found = value["key"]?.string else { throw fail("this is no file of eval's progress") }
                guard found == key.hex else { throw fail("this is the progress of another evaluation: model, data or settings differ") }
                continue
            }
            guard let group = value["g"]?.int, choices.indices.contains(group), let question = value["q"]?.int, choices[group].indices.contains(question),
                let values = value["ll"]?.array?.compactMap(\.double), values.count == choices[group][question], values.allSatisfy(\.isFinite)
            else { throw fail("line \(number + 1) breaks the format of eval's progress") }
            finished[Place(group: group, question: question)] = values
        }
        self.finished = finished
        if lines.isEmpty { try append(["quern_task_progress": 1, "key": JSONValue(key.hex)]) }
    }

    package func add(_ place: Place, _ logLikelihoods: [Double]) throws {
        try append(["g": JSONValue(place.group), "q": JSONValue(place.question), "ll": JSONValue(logLikelihoods.map { JSONValue($0) })])
    }

    private func append(_ object: JSONObject) throws { try file.append(JSONValue(object).serialized() + [UInt8(ascii: "\n")]) }

    /// Returns when all of it is on disk.
    package func sync() throws { try file.sync() }

    /// The job is done.
    package func remove() { file.remove() }
}
