/// A system call on a file failed. Says which operation, on which path, and the operating system's reason.
package struct FileError: Error, Equatable, CustomStringConvertible {
    package var operation: String
    package var path: String
    package var errno: Int32
    /// What the user can do about it, when there is something.
    package var advice: String?

    package init(operation: String, path: String, errno: Int32, advice: String? = nil) {
        self.operation = operation
        self.path = path
        self.errno = errno
        self.advice = advice
    }

    package var description: String {
        let reason = SystemCalls.message(errno)
        return "\(path): cannot \(operation): \(reason)" + (advice.map { "; \($0)" } ?? "")
    }
}
