import Kernels
import ModelFiles
import Tensors
import TestSupport
import Testing

/// A real file, read by the program that was written from the documents alone.
@Suite struct ReferenceReaderTests {
    @Test(
        .enabled(if: ReferenceReader.canOpenFiles, "python3 with numpy and zstandard is not here"),
        arguments: [["f16"], ["q8"], ["q4"], ["q4s"], ["q6"], ["q5"], ["q3"], ["q4", "--fit-grids"]])
    func bothDecodeTheSameBits(options: [String]) throws {
        let scratch = try Scratch()
        let file = scratch.path("m.quern")
        #expect(try QuernProcess.run(["convert", QuernProcess.fixture, "-o", file, "--type"] + options, input: []).code == 0)
        #expect(try ReferenceReader.run(["verify", file]).status == 0)
        let lines = try ReferenceReader.run(["decode", file, "--all", "--digest"]).output.split(separator: "\n")
        let reader = try ModelFileReader(path: file)
        #expect(lines.count == reader.tensors.count)
        for (line, record) in zip(lines, reader.tensors) { #expect(line == "\(digest(record, reader)) \(record.name)") }
    }

    /// SHA-256 of the decoded values, row by row.
    private func digest(_ record: TensorRecord, _ reader: ModelFileReader) -> Digest32 {
        var digest = StreamingDigest()
        let matrix = StoredMatrix(layout: record.layout, bytes: reader.bytes(of: record), grids: record.grids)
        var row = [Float](repeating: 0, count: record.columns)
        for index in 0..<record.rows {
            row.withUnsafeMutableBufferPointer { KernelSet.available[0].row(index, of: matrix, into: $0.baseAddress!) }
            row.withUnsafeBytes { digest.update($0) }
        }
        return withExtendedLifetime(reader) { digest.finalize() }
    }
}
