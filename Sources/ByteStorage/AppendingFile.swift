import Glibc

/// A file of lines that grows: what was appended before a crash is there afterwards, but for a last line that was cut. Locked while it is open.
package final class AppendingFile {
    package let path: String
    private let descriptor: Int32
    private var size: UInt64

    /// Opens or creates the file.
    package init(path: String) throws(FileError) {
        descriptor = try SystemCalls.call("open", path) { open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0o644) }
        self.path = path
        var status = stat()
        fstat(descriptor, &status)
        size = UInt64(status.st_size)
        guard status.st_mode & S_IFMT == S_IFREG else { throw FileError(operation: "read as a regular file", path: path, errno: EINVAL, advice: "name a file") }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            throw FileError(operation: "write", path: path, errno: EBUSY, advice: "another run is writing it now; wait for it or name another file")
        }
    }

    deinit { close(descriptor) }

    /// Everything up to the last line's end; a cut line behind it is removed.
    package func readLines(limit: UInt64) throws(FileError) -> [UInt8] {
        guard size <= limit else { throw FileError(operation: "read \(size) bytes", path: path, errno: EFBIG, advice: "a file of this kind has at most \(limit) bytes") }
        var bytes = [UInt8](repeating: 0, count: Int(size))
        var done = 0
        while done < bytes.count {
            let got = try SystemCalls.call("read", path) { bytes.withUnsafeMutableBytes { pread(descriptor, $0.baseAddress! + done, $0.count - done, off_t(done)) } }
            guard got > 0 else { throw FileError(operation: "read", path: path, errno: EIO) }
            done += got
        }
        let whole = bytes.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
        if whole < bytes.count {
            _ = try SystemCalls.call("set the size", path) { ftruncate(descriptor, off_t(whole)) }
            size = UInt64(whole)
        }
        return Array(bytes[..<whole])
    }

    package func append(_ bytes: [UInt8]) throws(FileError) {
        var failure: FileError?
        bytes.withUnsafeBytes { raw in
            do throws(FileError) { try SystemCalls.write(raw, to: descriptor, at: size, path: path) } catch { failure = error }
        }
        if let failure {
            // A part of it may be there.
            ftruncate(descriptor, off_t(size))
            throw failure
        }
        size += UInt64(bytes.count)
    }

    /// Returns when everything appended so far is on disk.
    package func sync() throws(FileError) { try SystemCalls.sync(descriptor, path: path) }

    package func remove() { unlink(path) }
}
