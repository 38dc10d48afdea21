import Glibc

/// The one place where errno becomes an error. Retries EINTR.
enum SystemCalls {
    static func message(_ code: Int32) -> String {
        if code == ENOSPC { return "no space left on the device" }
        var buffer = [CChar](repeating: 0, count: 256)
        return buffer.withUnsafeMutableBufferPointer { text in
            _ = strerror_r(code, text.baseAddress!, text.count)
            return String(cString: text.baseAddress!)
        }
    }

    static func call<Result: FixedWidthInteger>(
        _ operation: String, _ path: String, _ body: () -> Result
    ) throws(FileError) -> Result {
        while true {
            let result = body()
            if result != -1 { return result }
            let code = errno
            if code == EINTR { continue }
            throw FileError(operation: operation, path: path, errno: code)
        }
    }

    /// All of the bytes, however many the system takes at a time.
    static func write(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32, at offset: UInt64, path: String) throws(FileError) {
        var done = 0
        while done < bytes.count {
            done += try call("write", path) { pwrite(descriptor, bytes.baseAddress! + done, bytes.count - done, off_t(offset) + off_t(done)) }
        }
    }

    static func sync(_ descriptor: Int32, path: String) throws(FileError) { _ = try call("write to disk", path) { fsync(descriptor) } }

    /// Gives a file its final name. `syncFolder` then keeps the name over a loss of power.
    static func rename(_ temporary: String, to path: String) throws(FileError) {
        _ = try call("rename to the final name", path) { Glibc.rename(temporary, path) }
    }

    static func syncFolder(_ folder: String) {
        let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        fsync(descriptor)
        close(descriptor)
    }
}
