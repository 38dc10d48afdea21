import Glibc

/// Writes a file over several runs of the program. Until it is whole its bytes are in a hidden file beside the target, which stays when a run
/// is interrupted; it is locked, so that two runs cannot write it at once. `AtomicFileWriter` is for what one run writes.
package final class ResumableFileWriter: Sendable {
    package let path: String
    package let unfinishedPath: String
    /// Whether an earlier run left a file of this size; its bytes are there again.
    package let isResumed: Bool
    private let descriptor: Int32
    private let folder: String

    /// Opens or creates the hidden file and reserves `size` bytes. What an earlier run left is kept when it has this size.
    package init(path: String, size: UInt64) throws(FileError) {
        let (folder, name) = AtomicFileWriter.split(path)
        let unfinished = "\(folder)/.\(name).quern-unfinished"
        let descriptor = try SystemCalls.call("create", unfinished) { open(unfinished, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o644) }
        (self.path, self.folder, unfinishedPath, self.descriptor) = (path, folder, unfinished, descriptor)
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            close(descriptor)
            isResumed = false
            throw FileError(operation: "write", path: path, errno: EBUSY, advice: "another run is writing it now (\(unfinished)); wait for it or choose another name")
        }
        var status = stat()
        fstat(descriptor, &status)
        isResumed = UInt64(status.st_size) == size
        if isResumed { return }
        _ = try SystemCalls.call("set the size", path) { ftruncate(descriptor, 0) }
        let code = posix_fallocate(descriptor, 0, off_t(size))
        // Some file systems cannot reserve; they find out while writing.
        if code == EOPNOTSUPP || code == EINVAL {
            _ = try SystemCalls.call("set the size", path) { ftruncate(descriptor, off_t(size)) }
        } else if code != 0 {
            unlink(unfinished)
            throw FileError(operation: "reserve \(size) bytes", path: path, errno: code, advice: "free some space or choose another folder")
        }
    }

    deinit { close(descriptor) }

    package func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(FileError) {
        try SystemCalls.write(bytes, to: descriptor, at: offset, path: path)
    }

    package func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(FileError) {
        var done = 0
        while done < buffer.count {
            let got = try SystemCalls.call("read", path) {
                pread(descriptor, buffer.baseAddress! + done, buffer.count - done, off_t(offset) + off_t(done))
            }
            guard got > 0 else { throw FileError(operation: "read", path: unfinishedPath, errno: EIO) }
            done += got
        }
    }

    /// Returns when everything written so far is on disk.
    package func sync() throws(FileError) { try SystemCalls.sync(descriptor, path: path) }

    /// Syncs and gives the file its name.
    package func finish() throws(FileError) {
        try sync()
        try SystemCalls.rename(unfinishedPath, to: path)
        SystemCalls.syncFolder(folder)
    }

    /// Removes the hidden file.
    package func discard() { unlink(unfinishedPath) }
}
