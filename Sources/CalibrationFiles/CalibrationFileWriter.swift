import ByteStorage
package import ModelFiles
package import StrictJSON

/// Writes a calibration file, entry by entry in any order; it appears under its name when it is whole.
package final class CalibrationFileWriter {
    package let path: String
    private var header: CalibrationHeader
    private var written: [Bool]
    private let file: AtomicFileWriter

    /// - Parameters:
    ///   - entries: in the order of the table, as `CalibrationEntry.all` gives them.
    ///   - metadata: members by Formats/CalibrationFile.md, section 6, without `format`.
    package init(path: String, entries: [CalibrationEntry], metadata: JSONObject) throws(CalibrationFileError) {
        self.path = path
        header = CalibrationHeader(placing: entries, metadata: Self.encoded(metadata))
        written = entries.map { _ in false }
        do throws(FileError) { file = try AtomicFileWriter(path: path, reserve: header.fileBytes) } catch { throw CalibrationFileError(error) }
    }

    static func encoded(_ metadata: JSONObject) -> [UInt8] {
        var document: JSONObject = ["format": "quern-calibration"]
        for member in metadata.members { document.set(member.key.string, member.value) }
        return JSONValue(document).serialized()
    }

    package var fileBytes: UInt64 { header.fileBytes }

    /// The values of entry `index`, means over `tokens` tokens.
    package func write(_ values: UnsafeBufferPointer<Float>, entry index: Int, tokens: Int) throws(CalibrationFileError) {
        let entry = header.entries[index]
        precondition(values.count == entry.values && tokens >= 1, "\(values.count) values of \(tokens) tokens for '\(entry.description)'")
        let bytes = UnsafeRawBufferPointer(values)
        header.entries[index].tokens = UInt64(tokens)
        header.entries[index].sha256 = Digest32.of(bytes)
        written[index] = true
        do throws(FileError) { try file.write(bytes, at: entry.offset) } catch { throw CalibrationFileError(error) }
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
            try file.finish(size: header.fileBytes)
        } catch { throw CalibrationFileError(error) }
        return id
    }

    /// Removes what was written so far.
    package func discard() { file.discard() }
}
