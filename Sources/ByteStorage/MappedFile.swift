import Glibc

/// A whole file mapped read-only. The mapping lives as long as the object; bytes handed out must not outlive it.
package final class MappedFile: @unchecked Sendable {  // Safe: the mapping is read-only and fixed from init to deinit.
    package let path: String
    package let bytes: UnsafeRawBufferPointer

    package convenience init(path: String) throws(FileError) { try self.init(ReadableFile(path: path)) }

    /// Maps an open file: later reads through `file` and the mapping see the same file, even if its name is given to another.
    package init(_ file: ReadableFile) throws(FileError) {
        path = file.path
        guard file.size > 0 else {
            bytes = UnsafeRawBufferPointer(start: nil, count: 0)
            return
        }
        guard let count = Int(exactly: file.size), let start = mmap(nil, count, PROT_READ, MAP_SHARED, file.descriptor, 0),
            start != MAP_FAILED
        else { throw FileError(operation: "map into memory", path: path, errno: errno) }
        bytes = UnsafeRawBufferPointer(start: start, count: count)
    }

    deinit {
        if let start = bytes.baseAddress { munmap(UnsafeMutableRawPointer(mutating: start), bytes.count) }
    }

    /// Asks the kernel to read the range ahead.
    package func willNeed(_ range: Range<Int>) { advise(range, MADV_WILLNEED) }

    /// Lets the kernel drop the range's pages from this process; they are read again when touched.
    package func release(_ range: Range<Int>) { advise(range, MADV_DONTNEED) }

    /// Asks for huge pages for what is read from now on. A kernel or file system without them goes on with small ones.
    @discardableResult package func preferHugePages() -> Bool { advise(0..<bytes.count, MADV_HUGEPAGE) }

    /// Reads the range in large requests, maps it, and returns when it is there. What cannot be read stays unmapped: touching it tells.
    package func populate(_ range: Range<Int>) {
        if populateUntouched(range) { return }
        willNeed(range)
        for offset in stride(from: range.lowerBound, to: range.upperBound, by: Self.pageBytes) {
            _ = bytes.load(fromByteOffset: offset, as: UInt8.self)
        }
    }

    /// The same without touching what cannot be read; false then, and before Linux 5.14.
    @discardableResult func populateUntouched(_ range: Range<Int>) -> Bool {
        // MADV_POPULATE_READ, which the C library's header may lack
        advise(range, 22)
    }

    /// Reads the range and keeps its pages in memory.
    package func lock(_ range: Range<Int>) throws(FileError) {
        guard let (start, count) = pages(of: range) else { return }
        guard mlock(start, count) != 0 else { return }
        let code = errno
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(__RLIMIT_MEMLOCK.rawValue), &limit)
        throw Self.lockError(path: path, count: count, limit: UInt64(limit.rlim_cur), errno: code)
    }

    package static func lockError(path: String, count: Int, limit: UInt64, errno: Int32) -> FileError {
        let advice = limit < UInt64.max / 2
            ? "a process of this user may lock \(limit) bytes (RLIMIT_MEMLOCK): raise it with 'ulimit -l' or, for a service, LimitMEMLOCK, or do not lock"
            : "the machine has too little free memory for it: end other programs, or do not lock"
        return FileError(operation: "lock \(count) bytes in memory", path: path, errno: errno, advice: advice)
    }

    private static let pageBytes = Int(sysconf(Int32(_SC_PAGESIZE)))

    private func pages(of range: Range<Int>) -> (UnsafeMutableRawPointer, Int)? {
        precondition(range.lowerBound >= 0 && range.upperBound <= bytes.count, "range \(range) outside the mapping of \(bytes.count)")
        let start = range.lowerBound / Self.pageBytes * Self.pageBytes
        guard let base = bytes.baseAddress, range.upperBound > start else { return nil }
        return (UnsafeMutableRawPointer(mutating: base + start), range.upperBound - start)
    }

    @discardableResult private func advise(_ range: Range<Int>, _ advice: Int32) -> Bool {
        guard let (start, count) = pages(of: range) else { return true }
        return madvise(start, count, advice) == 0
    }
}
