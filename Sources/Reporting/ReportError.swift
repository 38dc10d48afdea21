/// A report cannot be made. The text names the subject, what was expected and found, and what to do.
package struct ReportError: Error, Equatable, CustomStringConvertible {
    package var description: String

    package init(_ description: String) { self.description = description }
}
