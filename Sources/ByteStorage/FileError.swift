/// A system call on a file failed. Says which operation, on which path, and the operating system's reason.
package struct FileError: Error, Equatable, CustomStringConvertible {
    package var operation: String
    package var path: String
    package var errno: Int32
    /// What is wrong, where this says it better than the operation and the system's reason.
    package var reason: String?
    /// What the user can do about it, when there is something.
    package var advice: String?

    package init(operation: String, path: String, errno: Int32, reason: String? = nil, advice: String? = nil) {
        self.operation = operation
        self.path = path
        self.errno = errno
        self.reason = reason
        self.advice = advice
    }

    /// Everything but the path.
    package var message: String {
        (reason ?? "cannot \(operation): \(SystemCalls.message(errno))") + (advice.map { "; \($0)" } ?? "")
    }

    package var description: String { "\(path): \(message)" }
}
