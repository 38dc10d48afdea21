import ByteStorage
import Glibc
import Testing

/// A folder that goes away with the object.
final class TemporaryFolder: Sendable {
    let path: String

    init() {
        let base = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var template = Array("\(base)/quern-tests-XXXXXX".utf8CString)
        path = template.withUnsafeMutableBufferPointer { String(cString: mkdtemp($0.baseAddress!)) }
    }

    deinit {
        for name in (try? Folders.names(in: path)) ?? [] { unlink("\(path)/\(name)") }
        rmdir(path)
    }

    @discardableResult
    func file(_ name: String, _ bytes: [UInt8]) -> String {
        let path = "\(path)/\(name)"
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        precondition(descriptor >= 0 && write(descriptor, bytes, bytes.count) == bytes.count)
        close(descriptor)
        return path
    }
}

struct AtomicFileWriterTests {
    private func write(_ writer: AtomicFileWriter, _ bytes: [UInt8], at offset: UInt64) throws {
        try bytes.withUnsafeBytes { try writer.write($0, at: offset) }
    }

    @Test func theFileAppearsWhole() throws {
        let folder = TemporaryFolder()
        let path = folder.file("a", [9])
        let writer = try AtomicFileWriter(path: path, reserve: 100)
        try write(writer, [3, 4], at: 2)
        try write(writer, [1, 2], at: 0)
        #expect(try ReadableFile(path: path).readAll(limit: 10) == [9])
        try writer.finish(size: 5)
        #expect(try ReadableFile(path: path).readAll(limit: 10) == [1, 2, 3, 4, 0])
        #expect(try Folders.names(in: folder.path) == ["a"])
    }

    /// Pieces of uneven size from several threads, across the places that are prepared for huge pages and past the reserved end.
    @Test func mappedFileHoldsWhatWasWritten() async throws {
        let folder = TemporaryFolder()
        let path = "\(folder.path)/a", size = 5 << 20, piece = 300_007
        let bytes = (0..<size + 1000).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 13) }
        let writer = try AtomicFileWriter(path: path, reserve: UInt64(size), isMapped: true)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for start in stride(from: 0, to: bytes.count, by: piece) {
                group.addTask {
                    try bytes[start..<min(start + piece, bytes.count)].withUnsafeBytes { try writer.write($0, at: UInt64(start)) }
                }
            }
            try await group.waitForAll()
        }
        writer.startWriteback(offset: 0, count: UInt64(size))
        try writer.finish(size: UInt64(bytes.count))
        let mapped = try MappedFile(path: path)
        withExtendedLifetime(mapped) { #expect(mapped.bytes.elementsEqual(bytes)) }
    }

    @Test func discardLeavesWhatWasThere() throws {
        let folder = TemporaryFolder()
        let path = folder.file("a", [9])
        let writer = try AtomicFileWriter(path: path, reserve: 0)
        try write(writer, [1], at: 0)
        writer.discard()
        #expect(try Folders.names(in: folder.path) == ["a"])
        #expect(try ReadableFile(path: path).readAll(limit: 1) == [9])
    }

    @Test func aKilledWritersLeftoverIsRemovedByTheNext() throws {
        let folder = TemporaryFolder()
        folder.file(".a.quern-partial.99999999", [1, 2])
        folder.file(".ab.quern-partial.99999999", [1, 2])
        let writer = try AtomicFileWriter(path: "\(folder.path)/a", reserve: 0)
        #expect(try Folders.names(in: folder.path) == [".a.quern-partial.\(getpid())", ".ab.quern-partial.99999999"])
        writer.discard()
    }

    @Test func twoWritersOfOnePathAreRefused() throws {
        let folder = TemporaryFolder()
        let path = "\(folder.path)/a"
        let first = try AtomicFileWriter(path: path, reserve: 0)
        let error = try #require(throws: FileError.self) { _ = try AtomicFileWriter(path: path, reserve: 0) }
        #expect(
            error.description
                == "\(path): cannot write: Device or resource busy; another run is writing it now (\(first.temporaryPath)); wait for it or choose another name"
        )
        try first.finish(size: 0)
        #expect(try Folders.names(in: folder.path) == ["a"])
    }

    @Test func aFullDiskIsNoticedWhileReserving() throws {
        let folder = TemporaryFolder()
        let error = try #require(throws: FileError.self) { _ = try AtomicFileWriter(path: "\(folder.path)/a", reserve: 1 << 50) }
        #expect([ENOSPC, EFBIG].contains(error.errno))
        #expect(error.message.hasPrefix("cannot reserve 1125899906842624 bytes: "))
        #expect(error.message.hasSuffix("; free some space or choose another folder"))
        #expect(try Folders.names(in: folder.path) == [])
    }

    @Test func aMissingFolderIsNamed() throws {
        let error = try #require(throws: FileError.self) { _ = try AtomicFileWriter(path: "/nowhere/at/all/a", reserve: 0) }
        #expect(error.description == "/nowhere/at/all: cannot open the folder: No such file or directory")
    }
}

struct ReadableFileTests {
    @Test func readsByPosition() throws {
        let folder = TemporaryFolder()
        let file = try ReadableFile(path: folder.file("a", [1, 2, 3, 4]))
        #expect(file.size == 4)
        var bytes: [UInt8] = [0, 0]
        try bytes.withUnsafeMutableBytes { try file.read(into: $0, at: 1) }
        #expect(bytes == [2, 3])
        #expect(try file.readAll(limit: 4) == [1, 2, 3, 4])
    }

    @Test func readingBeyondTheEndOrTheLimitThrows() throws {
        let folder = TemporaryFolder()
        let path = folder.file("a", [1, 2, 3, 4])
        let file = try ReadableFile(path: path)
        let beyond = try #require(throws: FileError.self) {
            var bytes: [UInt8] = [0, 0]
            try bytes.withUnsafeMutableBytes { try file.read(into: $0, at: 3) }
        }
        #expect(
            beyond.description
                == "\(path): cannot read 2 bytes at 3: Input/output error; the file ends at byte 4: it was cut while being read")
        let large = try #require(throws: FileError.self) { _ = try file.readAll(limit: 3) }
        #expect(large.description == "\(path): cannot read 4 bytes: File too large; a file of this kind has at most 3 bytes")
    }

    @Test func onlyRegularFilesAreRead() throws {
        let folder = TemporaryFolder()
        #expect(throws: FileError(operation: "open", path: "\(folder.path)/no", errno: ENOENT, advice: "check the path")) {
            _ = try ReadableFile(path: "\(folder.path)/no")
        }
        let isFolder = try #require(throws: FileError.self) { _ = try ReadableFile(path: folder.path) }
        #expect(isFolder.errno == EISDIR && isFolder.description == "\(folder.path): is a folder; give a file")
        // A pipe without a writer must not make the program wait.
        let pipe = "\(folder.path)/pipe"
        #expect(mkfifo(pipe, 0o600) == 0)
        let isPipe = try #require(throws: FileError.self) { _ = try ReadableFile(path: pipe) }
        #expect(isPipe.errno == EINVAL && isPipe.description == "\(pipe): neither a file nor a folder; give a file")
    }

    @Test func mappingsShowTheBytesOfTheFileThatWasOpened() throws {
        let folder = TemporaryFolder()
        let file = try ReadableFile(path: folder.file("a", [1, 2, 3]))
        folder.file("b", [4])
        #expect(rename("\(folder.path)/b", "\(folder.path)/a") == 0)
        func content(_ mapping: MappedFile) -> [UInt8] { withExtendedLifetime(mapping) { Array(mapping.bytes) } }
        #expect(content(try MappedFile(file)) == [1, 2, 3])
        #expect(content(try MappedFile(path: "\(folder.path)/a")) == [4])
        #expect(try MappedFile(path: folder.file("empty", [])).bytes.isEmpty)
    }
}

struct FoldersTests {
    @Test func kindsNamesAndPaths() throws {
        let folder = TemporaryFolder()
        folder.file("b", [])
        folder.file("a", [])
        folder.file("B", [])
        #expect(try Folders.names(in: folder.path) == ["B", "a", "b"])
        #expect(Folders.kind(of: folder.path) == .folder)
        #expect(Folders.kind(of: "\(folder.path)/a") == .file)
        #expect(Folders.kind(of: "\(folder.path)/c") == .missing)
        #expect(Folders.kind(of: "/dev/null") == .other)
        #expect(Folders.isWritable(folder.path))
        #expect(try Folders.freeBytes(at: folder.path) > 0)
        #expect(Folders.canonical("\(folder.path)/./a") == Folders.canonical(folder.path)! + "/a")
        #expect(Folders.canonical("\(folder.path)/c") == nil)
        #expect(throws: FileError.self) { _ = try Folders.names(in: "\(folder.path)/c") }
    }
}
