import Glibc

/// An open regular file, read by position. Safe to use from several threads: it holds no position of its own.
package final class ReadableFile: Sendable {
    package let path: String
    /// Bytes in the file when it was opened.
    package let size: UInt64
    package let device: UInt64
    package let inode: UInt64
    package let descriptor: Int32

    /// Throws when the path cannot be opened or is no regular file.
    package init(path: String) throws(FileError) {
        // Without O_NONBLOCK opening a pipe waits for its writer.
        let descriptor: Int32
        do throws(FileError) {
            descriptor = try SystemCalls.call("open", path) { open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) }
        } catch {
            throw error.errno == ENOENT
                ? FileError(operation: "open", path: path, errno: ENOENT, advice: path.isEmpty ? "the path is empty" : "check the path") : error
        }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            let code = errno
            close(descriptor)
            throw FileError(operation: "read the size", path: path, errno: code)
        }
        guard status.st_mode & S_IFMT == S_IFREG else {
            close(descriptor)
            let isFolder = status.st_mode & S_IFMT == S_IFDIR
            throw FileError(
                operation: "read as a regular file", path: path, errno: isFolder ? EISDIR : EINVAL,
                reason: isFolder ? "is a folder" : "neither a file nor a folder", advice: "give a file")
        }
        self.path = path
        self.size = UInt64(status.st_size)
        self.device = UInt64(status.st_dev)
        self.inode = UInt64(status.st_ino)
        self.descriptor = descriptor
    }

    deinit { close(descriptor) }

    /// Fills `buffer` from `offset`; a file that ends earlier is an error (it was cut while being read).
    package func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(FileError) {
        var done = 0
        while done < buffer.count {
            let got = try SystemCalls.call("read", path) {
                pread(descriptor, buffer.baseAddress! + done, buffer.count - done, off_t(offset) + off_t(done))
            }
            if got == 0 {
                throw FileError(
                    operation: "read \(buffer.count) bytes at \(offset)", path: path, errno: EIO,
                    advice: "the file ends at byte \(offset + UInt64(done)): it was cut while being read")
            }
            done += got
        }
    }

    /// Whether both are one file, whatever paths led to it.
    package func isSame(as other: ReadableFile) -> Bool { device == other.device && inode == other.inode }

    /// Whether the file's first bytes are these. One that cannot be read has none.
    package func begins(with start: [UInt8]) -> Bool {
        guard size >= UInt64(start.count) else { return false }
        var bytes = [UInt8](repeating: 0, count: start.count)
        return bytes.withUnsafeMutableBytes { (try? read(into: $0, at: 0)) != nil } && bytes == start
    }

    /// The whole file, refused when larger than `limit` bytes.
    package func readAll(limit: UInt64) throws(FileError) -> [UInt8] {
        guard size <= limit else {
            throw FileError(
                operation: "read \(size) bytes", path: path, errno: EFBIG, advice: "a file of this kind has at most \(limit) bytes")
        }
        var failure: FileError?
        let bytes = [UInt8](unsafeUninitializedCapacity: Int(size)) { buffer, count in
            do throws(FileError) {
                try read(into: UnsafeMutableRawBufferPointer(buffer), at: 0)
                count = buffer.count
            } catch { failure = error }
        }
        if let failure { throw failure }
        return bytes
    }

    /// Tells the kernel that the range will be read soon, in order.
    package func adviseSequential() { posix_fadvise(descriptor, 0, 0, POSIX_FADV_SEQUENTIAL) }

    /// Starts reading the range without waiting for it.
    package func willNeed(offset: UInt64, count: UInt64) {
        posix_fadvise(descriptor, off_t(offset), off_t(count), POSIX_FADV_WILLNEED)
    }

    /// Tells the kernel that cached pages of the range are not needed any more.
    package func dropCache(offset: UInt64, count: UInt64) {
        posix_fadvise(descriptor, off_t(offset), off_t(count), POSIX_FADV_DONTNEED)
    }
}
