package import Architectures
import ByteStorage
package import ModelFiles
package import StrictJSON

/// An open calibration file. Opening checks header, table and metadata; an entry's values are checked when they are read.
///
/// *Threads*: everything may be used from several threads.
package final class CalibrationFile: Sendable {
    package let path: String
    /// Names the whole content.
    package let id: Digest32
    package let entries: [CalibrationEntry]
    package let metadata: JSONValue
    private let file: ReadableFile

    /// With which every calibration file begins.
    package static let start = CalibrationHeader.magic

    package static func open(_ path: String) throws(CalibrationFileError) -> CalibrationFile { try CalibrationFile(path: path) }

    private init(path: String) throws(CalibrationFileError) {
        let file: ReadableFile
        let head: [UInt8]
        do throws(FileError) {
            file = try ReadableFile(path: path)
            head = try Self.bytes(file, 0..<min(file.size, UInt64(CalibrationHeader.byteCount)))
        } catch { throw CalibrationFileError(error) }
        let (header, id) = try head.withUnsafeBufferPointer { head throws(CalibrationFileError) in
            try CalibrationHeader.decode(UnsafeRawBufferPointer(head), fileBytes: file.size, path: path) { range throws(CalibrationFileError) in
                do throws(FileError) { return try Self.bytes(file, range) } catch { throw CalibrationFileError(error) }
            }
        }
        func invalid(_ text: String) -> CalibrationFileError {
            CalibrationFileError(.invalid, path: path, "metadata: \(text); \(Cure.calibrateAgain)")
        }
        do throws(JSONError) { metadata = try JSONReader.read(header.metadata, limits: JSONReader.Limits(depth: 16)) } catch { throw invalid("\(error)") }
        guard metadata["format"]?.string == "quern-calibration" else { throw invalid("format is not 'quern-calibration'") }
        self.path = path
        self.file = file
        self.id = id
        entries = header.entries
    }

    private static func bytes(_ file: ReadableFile, _ range: Range<UInt64>) throws(FileError) -> [UInt8] {
        var failure: FileError?
        let bytes = [UInt8](unsafeUninitializedCapacity: range.count) { buffer, count in
            do throws(FileError) {
                try file.read(into: UnsafeMutableRawBufferPointer(buffer), at: range.lowerBound)
                count = buffer.count
            } catch { failure = error }
        }
        if let failure { throw failure }
        return bytes
    }

    package func entry(_ input: LinearInput, layer: Int?, _ form: CalibrationEntry.Form) -> CalibrationEntry? {
        entries.first { $0.input == input && $0.layer == layer && $0.form == form }
    }

    /// mean x[k]^2 of the input, or nil when the file has none. `layer` is nil for the output head.
    package func diagonal(input: LinearInput, layer: Int?) throws(CalibrationFileError) -> [Float]? {
        guard let entry = entry(input, layer: layer, .diagonal) else { return nil }
        return try values(of: entry)
    }

    /// mean x[i] x[j] for j >= i, row after row (row i begins at i K - i (i - 1) / 2), or nil when the file has none.
    package func hessianTriangle(input: LinearInput, layer: Int?) throws(CalibrationFileError) -> [Float]? {
        guard let entry = entry(input, layer: layer, .hessian) else { return nil }
        return try values(of: entry)
    }

    /// An entry's values, whose digest and finiteness are checked. `entry` is one of this file's.
    package func values(of entry: CalibrationEntry) throws(CalibrationFileError) -> [Float] {
        var failure: CalibrationFileError?
        let values = [Float](unsafeUninitializedCapacity: entry.values) { buffer, count in
            let raw = UnsafeMutableRawBufferPointer(buffer)
            do throws(FileError) { try file.read(into: raw, at: entry.offset) } catch {
                failure = CalibrationFileError(error)
                return
            }
            guard Digest32.of(UnsafeRawBufferPointer(raw)) == entry.sha256 else {
                failure = CalibrationFileError(.damaged, path: path, "\(entry.description): its values do not have the SHA-256 in the table; \(Cure.copyAgain)")
                return
            }
            guard let bad = Self.firstBad(buffer, entry.form) else {
                count = entry.values
                return
            }
            failure = CalibrationFileError(
                .invalid, path: path,
                "\(entry.description): value \(bad) is \(buffer[bad]), expected a finite number\(entry.form == .diagonal ? " of at least 0" : ""); \(Cure.calibrateAgain)")
        }
        if let failure { throw failure }
        return values
    }

    private static func firstBad(_ values: UnsafeMutableBufferPointer<Float>, _ form: CalibrationEntry.Form) -> Int? {
        // The usual answer, none, comes from a loop without branches.
        var largest: UInt32 = 0
        for value in values { largest = max(largest, form == .diagonal ? value.bitPattern : value.bitPattern & 0x7FFF_FFFF) }
        if largest < 0x7F80_0000 { return nil }
        return values.firstIndex { !$0.isFinite || (form == .diagonal && $0.sign == .minus) }
    }
}
