import StrictJSON

/// A file of questions is not what its task expects. Says where, what was expected, what was found, and what to do.
package struct DataError: Error, Equatable, CustomStringConvertible {
    package var path: String
    /// Counted from 1; nil for the file as a whole.
    package var line: Int?
    package var field: String?
    package var message: String

    package init(path: String, line: Int? = nil, field: String? = nil, _ message: String) {
        (self.path, self.line, self.field, self.message) = (path, line, field, message)
    }

    package var description: String {
        path + (line.map { ": line \($0)" } ?? "") + (field.map { ": field \(JSONString.quoted($0))" } ?? "") + ": \(message)"
    }
}
