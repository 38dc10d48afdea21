import Glibc

/// Writes a file that appears under its final name only when it is whole: a temporary file beside the target,
/// written by position, synced, renamed. The temporary is locked while its writer lives, so a later run can tell
/// a dead one's leftover from a running one's work.
///
/// *Threads*: `write` may be called from several threads for ranges that do not overlap.
package final class AtomicFileWriter: Sendable {
    package let path: String
    package let temporaryPath: String
    private let descriptor: Int32
    private let folder: String
    private let pageCache: PageCachePreparation?

    static let temporaryMark = ".quern-partial."

    /// Bytes of the longest name beside which the temporary's name, with the largest process number, still fits.
    package static let longestName = Int(NAME_MAX) - 1 - temporaryMark.utf8.count - 7

    /// Creates the temporary file and reserves `size` bytes of disk for it, so a full disk is noticed before any work.
    ///
    /// - Parameters:
    ///   - isPrivate: only the owner may read and write the file.
    ///   - isMapped: the file will be mapped to be read over and over, for which huge pages are better.
    package init(path: String, reserve size: UInt64, isPrivate: Bool = false, isMapped: Bool = false) throws(FileError) {
        let (folder, name) = Self.split(path)
        try OutputFile.checkTarget(path)
        try Self.removeLeftovers(of: path)
        let temporary = "\(folder)/.\(name)\(Self.temporaryMark)\(getpid())"
        let descriptor = try SystemCalls.call("create", temporary) { open(temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, isPrivate ? 0o600 : 0o644) }
        self.path = path
        self.folder = folder
        self.temporaryPath = temporary
        self.descriptor = descriptor
        flock(descriptor, LOCK_EX | LOCK_NB)
        let code = size > 0 ? posix_fallocate(descriptor, 0, off_t(size)) : 0
        pageCache = isMapped && code == 0 ? PageCachePreparation(path: temporary, descriptor: descriptor) : nil
        // Some file systems cannot reserve; they find out while writing.
        if code != 0 && code != EOPNOTSUPP && code != EINVAL {
            discard()
            throw FileError(operation: "reserve \(size) bytes", path: path, errno: code, advice: "free some space or choose another folder")
        }
    }

    deinit { close(descriptor) }

    package func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(FileError) {
        pageCache?.prepare(offset: offset, count: bytes.count)
        try SystemCalls.write(bytes, to: descriptor, at: offset, path: path)
    }

    /// Starts writing the range to disk without waiting, so that `finish` has little left to do (the kernel starts
    /// writing dirty pages of a range that it is told will not be needed).
    package func startWriteback(offset: UInt64, count: UInt64) {
        posix_fadvise(descriptor, off_t(offset), off_t(count), POSIX_FADV_DONTNEED)
    }

    /// Cuts to `size`, syncs the data, renames over the target and syncs the folder.
    package func finish(size: UInt64) throws(FileError) {
        do throws(FileError) {
            _ = try SystemCalls.call("set the size", path) { ftruncate(descriptor, off_t(size)) }
            try SystemCalls.sync(descriptor, path: path)
            try SystemCalls.rename(temporaryPath, to: path)
        } catch {
            discard()
            throw error
        }
        SystemCalls.syncFolder(folder)
    }

    /// A whole file at once.
    package static func write(_ bytes: [UInt8], to path: String, isPrivate: Bool = false) throws(FileError) {
        let writer = try AtomicFileWriter(path: path, reserve: UInt64(bytes.count), isPrivate: isPrivate)
        var failure: FileError?
        bytes.withUnsafeBytes { raw in
            do throws(FileError) { try writer.write(raw, at: 0) } catch { failure = error }
        }
        if let failure {
            writer.discard()
            throw failure
        }
        try writer.finish(size: UInt64(bytes.count))
    }

    /// Removes the temporary file. Nothing is left under the final name that was not there before.
    package func discard() { unlink(temporaryPath) }

    /// Removes temporaries of `path` whose writer is dead; throws when one is alive.
    package static func removeLeftovers(of path: String) throws(FileError) {
        let (folder, name) = split(path)
        guard let directory = opendir(folder) else { throw FileError(operation: "open the folder", path: folder, errno: errno) }
        defer { closedir(directory) }
        var leftovers: [String] = []
        while let entry = readdir(directory) {
            let entryName = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if entryName.hasPrefix(".\(name)\(temporaryMark)") { leftovers.append("\(folder)/\(entryName)") }
        }
        for leftover in leftovers.sorted() {
            let descriptor = open(leftover, O_RDWR | O_CLOEXEC)
            guard descriptor >= 0 else { continue }
            defer { close(descriptor) }
            guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
                throw FileError(
                    operation: "write", path: path, errno: EBUSY, advice: "another run is writing it now (\(leftover)); wait for it or choose another name")
            }
            unlink(leftover)
        }
    }

    package static func split(_ path: String) -> (folder: String, name: String) {
        guard let slash = path.lastIndex(of: "/") else { return (".", path) }
        let folder = String(path[..<slash])
        return (folder.isEmpty ? "/" : folder, String(path[path.index(after: slash)...]))
    }
}
