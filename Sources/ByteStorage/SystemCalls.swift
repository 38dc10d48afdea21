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
}
