import ByteStorage
package import ModelFiles
package import StrictJSON

/// Writes a calibration file, entry by entry in any order and, if need be, over several runs; it appears under its name when it is whole.
///
/// *Threads*: one caller at a time; `discard` may be called from any.
package final class CalibrationFileWriter: @unchecked Sendable {  // Safe: what changes belongs to the one caller; `discard` reads a constant.
    package let path: String
    private var header: CalibrationHeader
    private var written: [Bool]
    private let file: ResumableFileWriter

    /// An entry whose values are written.
    package struct Written: Sendable, Equatable {
        package var index: Int
        package var tokens: UInt64
        package var sha256: Digest32

        package init(index: Int, tokens: UInt64, sha256: Digest32) { (self.index, self.tokens, self.sha256) = (index, tokens, sha256) }
    }

    /// - Parameters:
    ///   - entries: in the order of the table, as `CalibrationEntry.all` gives them.
    ///   - metadata: members by Formats/CalibrationFile.md, section 6, without `format`.
    package init(path: String, entries: [CalibrationEntry], metadata: JSONObject) throws(CalibrationFileError) {
        self.path = path
        var document: JSONObject = ["format": "quern-calibration"]
        for member in metadata.members { document.set(member.key.string, member.value) }
        header = CalibrationHeader(placing: entries, metadata: JSONValue(document).serialized())
        written = entries.map { _ in false }
        do throws(FileError) { file = try ResumableFileWriter(path: path, size: header.fileBytes) } catch { throw CalibrationFileError(error) }
    }

    package var fileBytes: UInt64 { header.fileBytes }
    package var entries: [CalibrationEntry] { header.entries }
    /// The entries that are whole.
    package var finished: [Written] {
        written.indices.filter { written[$0] }.map { Written(index: $0, tokens: header.entries[$0].tokens, sha256: header.entries[$0].sha256) }
    }

    /// Takes over entries of an earlier run; false, with nothing taken, when their bytes are not there.
    package func resume(_ entries: [Written]) throws(CalibrationFileError) -> Bool {
        guard file.isResumed else { return false }
        for entry in entries {
            guard header.entries.indices.contains(entry.index), try digest(of: header.entries[entry.index]) == entry.sha256 else { return false }
        }
        for entry in entries {
            header.entries[entry.index].tokens = entry.tokens
            header.entries[entry.index].sha256 = entry.sha256
            written[entry.index] = true
        }
        return true
    }

    private func digest(of entry: CalibrationEntry) throws(CalibrationFileError) -> Digest32 {
        var digest = StreamingDigest()
        let piece: UInt64 = 8 << 20
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Int(piece), alignment: 64)
        defer { buffer.deallocate() }
        for start in stride(from: 0, to: entry.bytes, by: UInt64.Stride(piece)) {
            let part = UnsafeMutableRawBufferPointer(rebasing: buffer[..<Int(min(piece, entry.bytes - start))])
            do throws(FileError) { try file.read(into: part, at: entry.offset + start) } catch { throw CalibrationFileError(error) }
            digest.update(UnsafeRawBufferPointer(part))
        }
        return digest.finalize()
    }

    /// The values of entry `index`, means over `tokens` tokens.
    package func write(_ values: UnsafeBufferPointer<Float>, entry index: Int, tokens: Int) throws(CalibrationFileError) {
        try write(entry: index, tokens: tokens) { append throws(CalibrationFileError) in try append(values) }
    }

    /// The same piece by piece: `body` calls what it is given with the values in their order.
    package func write(
        entry index: Int, tokens: Int,
        _ body: ((UnsafeBufferPointer<Float>) throws(CalibrationFileError) -> Void) throws(CalibrationFileError) -> Void
    ) throws(CalibrationFileError) {
        precondition(tokens >= 1, "\(tokens) tokens")
        let entry = header.entries[index]
        var digest = StreamingDigest()
        var done: UInt64 = 0
        try body { values throws(CalibrationFileError) in
            let bytes = UnsafeRawBufferPointer(values)
            precondition(done + UInt64(bytes.count) <= entry.bytes, "too many values for '\(entry.description)'")
            digest.update(bytes)
            do throws(FileError) { try file.write(bytes, at: entry.offset + done) } catch { throw CalibrationFileError(error) }
            done += UInt64(bytes.count)
        }
        precondition(done == entry.bytes, "\(done) bytes for '\(entry.description)', expected \(entry.bytes)")
        header.entries[index].tokens = UInt64(tokens)
        header.entries[index].sha256 = digest.finalize()
        written[index] = true
    }

    /// Returns when all finished entries are on disk.
    package func sync() throws(CalibrationFileError) {
        do throws(FileError) { try file.sync() } catch { throw CalibrationFileError(error) }
    }

    /// - Returns: the id.
    package func finish() throws(CalibrationFileError) -> Digest32 {
        precondition(!written.contains(false), "entries without values")
        let (bytes, id) = header.encoded()
        do throws(FileError) {
            var failure: FileError?
            bytes.withUnsafeBytes { raw in
                do throws(FileError) { try file.write(raw, at: 0) } catch { failure = error }
            }
            if let failure { throw failure }
            try file.finish()
        } catch { throw CalibrationFileError(error) }
        return id
    }

    /// Removes what was written so far.
    package func discard() { file.discard() }
}
