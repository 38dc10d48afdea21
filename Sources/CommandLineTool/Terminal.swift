import Conversion
// stdout is a variable to Swift; nothing ever assigns it.
@preconcurrency import Glibc
import LineEditing
import StrictJSON

/// The two output streams.
enum Terminal {
    static let errorIsTerminal = isatty(STDERR_FILENO) == 1

    /// A line for the user, on the standard error stream. Control characters other than line breaks and tabs are escaped: a path in
    /// a message must not steer the terminal.
    static func note(_ text: String) { write(VisibleText.escaped(text) + "\n") }

    /// Text as it is, on the standard error stream.
    static func write(_ text: String) {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { Glibc.write(STDERR_FILENO, $0.baseAddress!, $0.count) }
            if count < 0 && errno == EINTR { continue }
            if count <= 0 { return }
            bytes = bytes.dropFirst(count)
        }
    }

    /// One JSON object as a line on the standard output stream, at once.
    static func line(_ object: JSONObject) {
        print(JSONValue(object).text())
        fflush(nil)
    }

    /// One indented JSON object on the standard output stream.
    static func document(_ object: JSONObject) { print(JSONValue(object).text(pretty: true)) }

    /// Writes out what `print` has buffered. Throws when any of it was lost, on a full disk for example; a reader that went
    /// away is no fault.
    static func finishOutput() throws {
        errno = 0
        // Safe: the C library's own stream, used as print uses it.
        if fflush(stdout) != 0 || ferror(stdout) != 0, errno != EPIPE, !readerIsGone {
            throw ConversionError("standard output: cannot write: \(errno == 0 ? "an earlier write failed" : String(cString: strerror(errno))); what was printed is incomplete")
        }
    }

    /// Of an earlier write that failed, no error number is left; the pipe still tells.
    private static var readerIsGone: Bool {
        var output = pollfd(fd: STDOUT_FILENO, events: Int16(POLLOUT), revents: 0)
        return poll(&output, 1, 0) == 1 && output.revents & Int16(POLLERR) != 0
    }

    /// Where a standard stream is closed, the next file that is opened would get its number, and what is printed. Such a stream is given
    /// /dev/null to read: writing to it fails.
    static func reserveStreams() {
        for stream in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] where fcntl(stream, F_GETFD) == -1 { _ = open("/dev/null", O_RDONLY) }
    }

    static func seconds() -> Double {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        return Double(now.tv_sec) + Double(now.tv_nsec) / 1e9
    }
}
