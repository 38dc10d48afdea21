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

    private func advise(_ range: Range<Int>, _ advice: Int32) {
        precondition(range.lowerBound >= 0 && range.upperBound <= bytes.count, "range \(range) outside the mapping of \(bytes.count)")
        let page = Int(sysconf(Int32(_SC_PAGESIZE)))
        let start = range.lowerBound / page * page
        guard let base = bytes.baseAddress, range.upperBound > start else { return }
        madvise(UnsafeMutableRawPointer(mutating: base + start), range.upperBound - start, advice)
    }
}
