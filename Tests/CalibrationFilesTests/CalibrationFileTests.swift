import Architectures
import ByteStorage
import CalibrationFiles
import Glibc
import ModelFiles
import StrictJSON
import Testing

/// A small file of one layer with one Hessian.
private final class Sample {
    let folder: String
    var path: String { folder + "/sample.qcal" }
    static let entries = [
        CalibrationEntry(input: .queryKeyValue, layer: 0, columns: 3, form: .diagonal), CalibrationEntry(input: .queryKeyValue, layer: 0, columns: 3, form: .hessian),
        CalibrationEntry(input: .down, layer: 0, columns: 5, form: .diagonal), CalibrationEntry(input: .outputHead, layer: nil, columns: 3, form: .diagonal),
    ]
    static let values: [[Float]] = [[1, 2, 0], [1, 0.5, -0.25, 2, 0.125, 0], [5, 4, 3, 2, 1], [0, 0, 7]]

    init() throws {
        var template = Array("/tmp/quern-calibration-XXXXXX".utf8CString)
        folder = String(cString: try #require(mkdtemp(&template)))
    }

    deinit {
        for name in (try? Folders.names(in: folder)) ?? [] { unlink("\(folder)/\(name)") }
        rmdir(folder)
    }

    @discardableResult func write() throws -> Digest32 {
        let writer = try CalibrationFileWriter(path: path, entries: Self.entries, metadata: ["windows": 2])
        // In another order than the table's.
        for index in [3, 0, 2, 1] { try Self.values[index].withUnsafeBufferPointer { try writer.write($0, entry: index, tokens: 100 + index) } }
        return try writer.finish()
    }

    func bytes() throws -> [UInt8] { try ReadableFile(path: path).readAll(limit: 1 << 20) }

    func replace(_ bytes: [UInt8]) {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        precondition(descriptor >= 0 && Glibc.write(descriptor, bytes, bytes.count) == bytes.count)
        close(descriptor)
    }
}

private func readAll(_ path: String) throws {
    let file = try CalibrationFile.open(path)
    for entry in file.entries { _ = try file.values(of: entry) }
}

@Suite struct CalibrationFileTests {
    @Test func whatIsWrittenIsRead() throws {
        let sample = try Sample()
        let id = try sample.write()
        let file = try CalibrationFile.open(sample.path)
        #expect(file.id == id && file.entries.count == 4 && file.metadata["windows"]?.int == 2)
        #expect(try file.diagonal(input: .queryKeyValue, layer: 0) == [1, 2, 0])
        #expect(try file.diagonal(input: .down, layer: 0) == [5, 4, 3, 2, 1])
        #expect(try file.diagonal(input: .outputHead, layer: nil) == [0, 0, 7])
        #expect(try file.diagonal(input: .gateUp, layer: 0) == nil && file.diagonal(input: .down, layer: 1) == nil)
        #expect(try file.hessianTriangle(input: .queryKeyValue, layer: 0) == [1, 0.5, -0.25, 2, 0.125, 0])
        #expect(file.entry(.down, layer: 0, .diagonal)?.tokens == 102)
        let first = try sample.bytes()
        try sample.write()
        #expect(try sample.bytes() == first)
    }

    @Test func rolesShareInputs() {
        #expect([.query, .key, .value].allSatisfy { LinearInput(role: $0) == .queryKeyValue })
        #expect([.gate, .up].allSatisfy { LinearInput(role: $0) == .gateUp })
        #expect(LinearInput(role: .down) == .down && LinearInput(role: .attentionOutput) == .attentionOutput && LinearInput(role: .outputHead) == .outputHead)
        #expect(LinearInput(role: .tokenEmbedding) == nil && LinearInput(role: .outputNorm) == nil)
    }

    /// Every byte is covered by a digest or must be zero; the bytes between values are the exception that is checked by nothing.
    @Test(arguments: [0x01, 0x80, 0xFF] as [UInt8]) func everyChangedByteIsFound(mask: UInt8) throws {
        let sample = try Sample()
        try sample.write()
        let original = try sample.bytes(), entries = try CalibrationFile.open(sample.path).entries
        let padding = zip(entries, entries.dropFirst()).flatMap { Int($0.offset + $0.bytes)..<Int($1.offset) }
        var missed: [Int] = []
        for position in original.indices where !padding.contains(position) {
            var bytes = original
            bytes[position] ^= mask
            sample.replace(bytes)
            do { try readAll(sample.path); missed.append(position) } catch {}
        }
        #expect(missed == [])
    }

    @Test func everyTruncationIsFound() throws {
        let sample = try Sample()
        try sample.write()
        let original = try sample.bytes()
        for length in stride(from: 0, to: original.count, by: 7) {
            sample.replace(Array(original[..<length]))
            do throws(CalibrationFileError) {
                _ = try CalibrationFile.open(sample.path)
                Issue.record("a file cut to \(length) bytes opens")
            } catch { #expect(error.code == (length < 8 ? .notACalibrationFile : .wrongSize)) }
        }
    }

    /// Tables that carry right digests and break a rule.
    @Test func forgedTables() throws {
        let sample = try Sample()
        try sample.write()
        let original = try sample.bytes()
        let cases: [(offset: Int, value: [UInt8], text: String)] = [
            (256, [9], "entry 0: input is 9, expected 1 ... 5"),
            (256 + 4, [0, 8, 0, 0], "entry 0: layer is 2048 for query_key_value, expected 0 ... 1023"),
            (256 + 12, [3], "entry 0: form is 3, expected 1 or 2"),
            (256 + 8, [4], "entry 0: bytes is 12, expected 16 for 4 columns"),
            (256 + 11, [255], "expected 1 ... 16777216"),
            (256 + 16, [1], "entry 0: offset is 4097, expected 4096"),
            (256 + 32, [0], "entry 0: tokens is 0, expected at least 1"),
            (256 + 41, [1], "entry 0: a reserved byte is not 0"),
            (256 + 4 * 96, [0], "metadata: "),
            (24, [0, 0, 0, 0, 1], "truncated: the header says 4294967296 bytes"),
            (16, [1], "needs features 0x1"),
            (8, [2], "version 2 of the format, this program reads version 1"),
            (36, [97], "header: sizes are 256 and 97"),
            (100, [1], "header: a reserved byte is not 0"),
            (32, [0], "header: entry_count is 0, expected 1 ... 65536"),
            (32, [255, 255, 0, 0], "header: metadata_offset and data_offset are 640 and 4096"),
            (48, [0, 0, 255, 255], "expected 2 ... 1048576"),
        ]
        for (offset, value, text) in cases {
            var bytes = original
            bytes.replaceSubrange(offset..<offset + value.count, with: value)
            bytes.replaceSubrange(192..<224, with: Digest32.of(Array(bytes[256..<4096])).bytes)
            bytes.replaceSubrange(224..<256, with: Digest32.of(Array(bytes[..<224])).bytes)
            sample.replace(bytes)
            do throws(CalibrationFileError) {
                _ = try CalibrationFile.open(sample.path)
                Issue.record("opens, expected \(text)")
            } catch { #expect(error.description.contains(text), "\(error)") }
        }
    }

    @Test func valuesMustBeFinite() throws {
        let sample = try Sample()
        let writer = try CalibrationFileWriter(path: sample.path, entries: [Sample.entries[2]], metadata: [:])
        try [Float(1), 2, .nan, 4, 5].withUnsafeBufferPointer { try writer.write($0, entry: 0, tokens: 1) }
        _ = try writer.finish()
        do throws(CalibrationFileError) {
            _ = try CalibrationFile.open(sample.path).diagonal(input: .down, layer: 0)
            Issue.record("reads")
        } catch { #expect(error.message.contains("down of layer 0, diagonal: value 2 is nan, expected a finite number of at least 0")) }
    }
}
