/// A conversation cannot be rendered. Says in which file and line, what was found, and what to do.
package struct ChatTemplateError: Error, Equatable, Sendable, CustomStringConvertible {
    package enum Code: Sendable {
        /// The template breaks the rules of its language, or an operation in it has no meaning for its values.
        case malformed
        /// Part of Jinja, but not of the subset that is interpreted.
        case unsupported
        /// The template itself, or a built-in format, refuses the conversation.
        case refused
        /// The template does more work than any template needs.
        case limit
        /// It is not known which format to use, or there is none of that name.
        case unknownFormat
    }

    package var code: Code
    /// The file with the template, or the name of a built-in format.
    package var file: String
    /// From 1; nil where it is no matter of a line.
    package var line: Int?
    package var problem: String
    package var advice: String

    package init(_ code: Code, file: String, line: Int? = nil, problem: String, advice: String) {
        self.code = code
        self.file = file
        self.line = line
        self.problem = problem
        self.advice = advice
    }

    package var description: String { "\(file): \(line.map { "line \($0): " } ?? "")\(problem); \(advice)" }
}
