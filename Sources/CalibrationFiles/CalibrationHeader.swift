import ModelFiles

/// Everything of a calibration file before its values. Authority: Formats/CalibrationFile.md, sections 2 to 4.
struct CalibrationHeader {
    static let magic: [UInt8] = [0x89, 0x51, 0x43, 0x41, 0x4C, 0x0D, 0x0A, 0x1A]
    static let version: UInt32 = 1
    static let byteCount = 256
    static let mostEntries = 65536
    static let metadataBytes = 2...(1 << 20)
    static let valueAlignment: UInt64 = 64
    private static let dataAlignment: UInt64 = 4096

    var entries: [CalibrationEntry]
    var metadata: [UInt8]

    private var metadataOffset: UInt64 { UInt64(Self.byteCount + CalibrationEntry.byteCount * entries.count) }
    private var dataOffset: UInt64 { Self.alignedUp(metadataOffset + UInt64(metadata.count), Self.dataAlignment) }
    var fileBytes: UInt64 { entries.last.map { $0.offset + $0.bytes } ?? dataOffset }

    static func alignedUp(_ value: UInt64, _ multiple: UInt64) -> UInt64 { (value + multiple - 1) / multiple * multiple }

    /// Places the values of entries that are in the order of the table.
    init(placing entries: [CalibrationEntry], metadata: [UInt8]) {
        precondition((1...Self.mostEntries).contains(entries.count) && Self.metadataBytes.contains(metadata.count), "\(entries.count) entries")
        precondition(zip(entries, entries.dropFirst()).allSatisfy { $0.rank < $1.rank }, "entries out of order")
        (self.entries, self.metadata) = (entries, metadata)
        var end = dataOffset
        for index in entries.indices {
            self.entries[index].offset = Self.alignedUp(end, Self.valueAlignment)
            end = self.entries[index].offset + entries[index].bytes
        }
    }

    /// Header, table, metadata and zeros up to the values; and the id.
    func encoded() -> (bytes: [UInt8], id: Digest32) {
        var tail = entries.flatMap { $0.encoded() } + metadata
        tail += [UInt8](repeating: 0, count: Int(dataOffset) - Self.byteCount - tail.count)
        let id = Digest32.of(tail)
        var head = [UInt8](repeating: 0, count: Self.byteCount)
        head.replaceSubrange(0..<8, with: Self.magic)
        head.store(Self.version, at: 8)
        head.store(UInt32(Self.byteCount), at: 12)
        head.store(fileBytes, at: 24)
        head.store(UInt32(entries.count), at: 32)
        head.store(UInt32(CalibrationEntry.byteCount), at: 36)
        head.store(metadataOffset, at: 40)
        head.store(UInt64(metadata.count), at: 48)
        head.store(dataOffset, at: 56)
        head.replaceSubrange(192..<224, with: id.bytes)
        head.replaceSubrange(224..<256, with: Digest32.of(Array(head[..<224])).bytes)
        return (head + tail, id)
    }

    /// Checks what stands before the values, given the first 256 bytes, and reads the rest of it.
    ///
    /// - Parameter rest: the bytes of a range behind the header, which lies inside the file.
    static func decode(
        _ head: UnsafeRawBufferPointer, fileBytes: UInt64, path: String, rest: (Range<UInt64>) throws(CalibrationFileError) -> [UInt8]
    ) throws(CalibrationFileError) -> (header: CalibrationHeader, id: Digest32) {
        func fail(_ code: CalibrationFileError.Code, _ text: String) -> CalibrationFileError { CalibrationFileError(code, path: path, text) }
        func invalid(_ text: String) -> CalibrationFileError { fail(.invalid, "\(text); \(Cure.calibrateAgain)") }
        guard head.prefix(8).elementsEqual(magic) else {
            let start = Hexadecimal.text(head.prefix(8)).uppercased()
            throw fail(.notACalibrationFile, "this is no calibration file: it begins with \(start.isEmpty ? "nothing" : start); give a file made with 'quern calibrate'")
        }
        guard head.count >= byteCount else { throw fail(.wrongSize, "truncated: the header has \(byteCount) bytes, the file \(head.count); \(Cure.copyAgain)") }
        guard head.u32(8) == version else {
            throw fail(.newerVersion, "version \(head.u32(8)) of the format, this program reads version \(version); use the program that wrote it, or calibrate again")
        }
        guard head.u64(24) == fileBytes else {
            let verb = fileBytes < head.u64(24) ? "truncated" : "extended"
            throw fail(.wrongSize, "\(verb): the header says \(head.u64(24)) bytes, the file has \(fileBytes); \(Cure.copyAgain)")
        }
        guard Digest32.of(UnsafeRawBufferPointer(rebasing: head[..<224])) == Digest32(head[224..<256]) else {
            throw fail(.damaged, "the header does not have its SHA-256; \(Cure.copyAgain)")
        }
        guard head.u64(16) == 0 else { throw fail(.unknownFeature, "needs features 0x\(String(head.u64(16), radix: 16)), which this program does not know; use a newer one") }
        guard head.u32(12) == UInt32(byteCount), head.u32(36) == UInt32(CalibrationEntry.byteCount) else {
            throw invalid("header: sizes are \(head.u32(12)) and \(head.u32(36)), expected \(byteCount) and \(CalibrationEntry.byteCount)")
        }
        guard head[64..<192].allSatisfy({ $0 == 0 }) else { throw invalid("header: a reserved byte is not 0") }
        let count = head.u32(32), length = head.u64(48)
        guard (1...UInt32(mostEntries)).contains(count) else { throw invalid("header: entry_count is \(count), expected 1 ... \(mostEntries)") }
        guard (UInt64(metadataBytes.lowerBound)...UInt64(metadataBytes.upperBound)).contains(length) else {
            throw invalid("header: metadata_bytes is \(length), expected \(metadataBytes.lowerBound) ... \(metadataBytes.upperBound)")
        }
        let metadataOffset = UInt64(byteCount) + UInt64(CalibrationEntry.byteCount) * UInt64(count)
        let dataOffset = alignedUp(metadataOffset + length, dataAlignment)
        guard head.u64(40) == metadataOffset, head.u64(56) == dataOffset else {
            throw invalid("header: metadata_offset and data_offset are \(head.u64(40)) and \(head.u64(56)), expected \(metadataOffset) and \(dataOffset)")
        }
        guard dataOffset <= fileBytes else { throw invalid("header: the values begin at \(dataOffset), behind the end of the file") }
        let tail = try rest(UInt64(byteCount)..<dataOffset)
        let id = Digest32(head[192..<224])
        guard Digest32.of(tail) == id else { throw fail(.damaged, "the table and the metadata do not have the SHA-256 in the header; \(Cure.copyAgain)") }

        var entries: [CalibrationEntry] = []
        for index in 0..<Int(count) {
            let start = index * CalibrationEntry.byteCount
            let entry = try tail[start..<start + CalibrationEntry.byteCount].withUnsafeBufferPointer { raw throws(CalibrationFileError) in
                try CalibrationEntry(UnsafeRawBufferPointer(raw)) { invalid("entry \(index): \($0)") }
            }
            let end = entries.last.map { $0.offset + $0.bytes } ?? dataOffset
            guard entry.offset == alignedUp(end, valueAlignment) else {
                throw invalid("entry \(index): offset is \(entry.offset), expected \(alignedUp(end, valueAlignment))")
            }
            // The sizes are below 2^50 each; the sum is kept inside the file, so nothing wraps.
            guard entry.offset <= fileBytes, entry.bytes <= fileBytes - entry.offset else {
                throw invalid("entry \(index): its values end behind the file's \(fileBytes) bytes")
            }
            if let last = entries.last {
                guard last.rank < entry.rank else { throw invalid("entry \(index): '\(entry.description)' comes after '\(last.description)'") }
                if last.input == entry.input, last.layer == entry.layer, last.columns != entry.columns {
                    throw invalid("entry \(index): \(entry.columns) columns, but \(last.columns) in the diagonal")
                }
            }
            entries.append(entry)
        }
        guard let last = entries.last, last.offset + last.bytes == fileBytes else { throw invalid("the values do not end with the file") }
        let start = Int(metadataOffset) - byteCount
        let metadata = Array(tail[start..<start + Int(length)])
        guard tail[(start + Int(length))...].allSatisfy({ $0 == 0 }) else { throw invalid("a byte between the metadata and the values is not 0") }
        return (CalibrationHeader(entries: entries, metadata: metadata), id)
    }

    private init(entries: [CalibrationEntry], metadata: [UInt8]) { (self.entries, self.metadata) = (entries, metadata) }
}
