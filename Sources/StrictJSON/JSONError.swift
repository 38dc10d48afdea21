/// A text is not the JSON that was asked for. The caller adds which file it was.
package struct JSONError: Error, Equatable, CustomStringConvertible {
    /// Byte of the text at which the problem starts.
    package var offset: Int
    package var message: String

    package init(offset: Int, message: String) {
        self.offset = offset
        self.message = message
    }

    package var description: String { "byte \(offset): \(message)" }
}
