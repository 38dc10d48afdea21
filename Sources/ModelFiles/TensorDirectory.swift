import StrictJSON
import Tensors

/// One record of 256 bytes per tensor, then their names.
/// Authority: `Formats/QuernFile.md`, section 5.
package struct TensorDirectory: Sendable, Equatable {
    package var tensors: [TensorRecord]

    package static let largestCount = 65536
    static let headBytes = 16
    static let recordBytes = 256

    package init(tensors: [TensorRecord]) {
        precondition((1...Self.largestCount).contains(tensors.count), "a directory has 1 ... 65536 tensors, not \(tensors.count)")
        self.tensors = tensors
    }

    /// The digest of the tensors' digests, which stands in the header for the data section.
    package var dataDigest: Digest32 {
        var digest = StreamingDigest()
        for tensor in tensors { tensor.sha256.bytes.withUnsafeBytes { digest.update($0) } }
        return digest.finalize()
    }

    package func encoded() -> [UInt8] {
        let names = tensors.map { Array($0.name.utf8) }
        var bytes = [UInt8](repeating: 0, count: Self.headBytes + Self.recordBytes * tensors.count)
        bytes.store(UInt32(tensors.count), at: 0)
        bytes.store(UInt32(Self.recordBytes), at: 4)
        bytes.store(UInt32(names.reduce(0) { $0 + $1.count }), at: 8)
        var nameOffset = 0
        for (index, tensor) in tensors.enumerated() {
            let at = Self.headBytes + Self.recordBytes * index
            bytes.store(UInt32(nameOffset), at: at)
            bytes.store(UInt16(names[index].count), at: at + 4)
            bytes.store(tensor.type.rawValue, at: at + 6)
            bytes.store(UInt16(tensor.rank), at: at + 8)
            bytes.store(tensor.sourceType.rawValue, at: at + 10)
            bytes.store(UInt64(tensor.rows), at: at + 16)
            bytes.store(UInt64(tensor.columns), at: at + 24)
            bytes.store(tensor.offset, at: at + 32)
            bytes.store(tensor.bytes, at: at + 40)
            bytes.store(tensor.sha256, at: at + 48)
            bytes.store(tensor.errors.signal, at: at + 80)
            bytes.store(tensor.errors.noise, at: at + 88)
            bytes.store(tensor.errors.stored, at: at + 96)
            bytes.store(tensor.errors.product, at: at + 104)
            bytes.store(tensor.errors.largest, at: at + 112)
            bytes.store(tensor.errors.worstRowRatio, at: at + 120)
            bytes.store(UInt64(tensor.errors.worstRow), at: at + 128)
            bytes.replaceSubrange(at + 144..<at + 144 + tensor.grids.count, with: tensor.grids)
            nameOffset += names[index].count
        }
        return bytes + names.joined()
    }

    /// `bytes` is the whole section, `fileOffset` its place, `dataEnd` the end of the data section.
    package init(decoding bytes: UnsafeRawBufferPointer, fileOffset: UInt64, dataEnd: UInt64, path: String) throws(ModelFileError) {
        let head = Fields(bytes: bytes, path: path, place: "directory", fileOffset: fileOffset)
        guard bytes.count >= Self.headBytes else { throw head.failure(at: 0, "the section has \(bytes.count) bytes, expected at least 16") }
        let count = Int(try head.expect("tensor_count", at: 0, in: 1...UInt32(Self.largestCount)))
        try head.expect("record_bytes", at: 4, UInt32(Self.recordBytes))
        let nameBytes = Int(head.load(8, as: UInt32.self))
        try head.expectZeros(at: 12, count: 4)
        let needed = Self.headBytes + Self.recordBytes * count + nameBytes
        guard bytes.count == needed else {
            throw head.failure(at: 0, "\(count) tensors and \(nameBytes) bytes of names need \(needed) bytes, but the section has \(bytes.count)")
        }
        let names = head.slice(needed - nameBytes, nameBytes)
        var tensors: [TensorRecord] = []
        tensors.reserveCapacity(count)
        var seen: Set<[UInt8]> = []
        var nameOffset = 0
        var end = UInt64(ModelFileHeader.byteCount)
        for index in 0..<count {
            let at = Self.headBytes + Self.recordBytes * index
            var fields = Fields(
                bytes: head.slice(at, Self.recordBytes), path: path, place: "directory: record \(index)", fileOffset: fileOffset + UInt64(at))
            let (name, nameLength) = try Self.name(fields, names, expectedOffset: nameOffset)
            nameOffset += nameLength
            fields.place = "directory: tensor \(JSONString.quoted(name))"
            fields.tensor = name
            guard seen.insert(Array(name.utf8)).inserted else { throw fields.failure(at: 0, "the name occurs twice") }
            // Ends are at most dataEnd, which is below 2^63, so aligning cannot overflow.
            let tensor = try Self.record(fields, name: name, expectedOffset: end.alignedUp(to: TensorRecord.alignment)!, dataEnd: dataEnd)
            end = tensor.end
            tensors.append(tensor)
        }
        guard nameOffset == nameBytes else {
            throw head.failure(at: 8, "name_bytes is \(nameBytes), but the tensors' names have \(nameOffset) bytes")
        }
        guard end == dataEnd else {
            throw head.failure(at: 0, "the last tensor ends at byte \(end), expected the end of the data section, \(dataEnd)")
        }
        self.tensors = tensors
    }

    private static func name(
        _ fields: Fields, _ names: UnsafeRawBufferPointer, expectedOffset: Int
    ) throws(ModelFileError) -> (name: String, length: Int) {
        try fields.expect("name_offset", at: 0, UInt32(expectedOffset))
        let length = Int(try fields.expect("name_length", at: 4, in: 1...UInt16(256)))
        guard length <= names.count - expectedOffset else {
            throw fields.failure(at: 4, "the name of \(length) bytes at \(expectedOffset) ends behind the name block of \(names.count) bytes")
        }
        let bytes = names[expectedOffset..<expectedOffset + length]
        if let problem = TensorRecord.problem(ofName: bytes) { throw fields.failure(at: 0, problem) }
        guard let name = String(validating: bytes, as: UTF8.self) else { throw fields.failure(at: 0, "the name is not valid UTF-8") }
        return (name, length)
    }

    private static func record(
        _ fields: Fields, name: String, expectedOffset: UInt64, dataEnd: UInt64
    ) throws(ModelFileError) -> TensorRecord {
        guard let type = StorageType(rawValue: fields.load(6)) else {
            throw ModelFileError(
                .invalid, path: fields.path, tensor: name, byteOffset: fields.fileOffset.map { $0 + 6 },
                "\(fields.place): storage_type is \(fields.load(6, as: UInt16.self)), which this program does not know; use a newer quern")
        }
        let rank = Int(try fields.expect("rank", at: 8, in: UInt16(1)...2))
        guard let sourceType = SourceType(rawValue: fields.load(10)) else {
            throw fields.failure(at: 10, "source_type is \(fields.load(10, as: UInt16.self)), expected 1 (F32), 2 (F16) or 3 (BF16)")
        }
        try fields.expectZeros(at: 12, count: 4)
        let dimensions = 1...UInt64(PanelLayout.largestDimension)
        let rows = Int(try fields.expect("rows", at: 16, in: dimensions))
        let columns = Int(try fields.expect("columns", at: 24, in: rank == 1 ? 1...1 : dimensions))
        guard let layout = PanelLayout(type: type, rows: rows, columns: columns) else {
            throw fields.failure(at: 16, "rows x columns is \(rows) x \(columns), expected at most 2^40 values")
        }
        try fields.expect("offset", at: 32, expectedOffset)
        let bytes = fields.load(40, as: UInt64.self)
        guard bytes == UInt64(layout.byteCount) else {
            throw fields.failure(at: 40, "bytes is \(bytes), but \(type) of \(rows) x \(columns) has \(layout.byteCount)")
        }
        guard expectedOffset <= dataEnd, bytes <= dataEnd - expectedOffset else {
            throw fields.failure(at: 40, "\(bytes) bytes at \(expectedOffset) end behind the data section, which ends at \(dataEnd)")
        }
        try fields.expectZeros(at: 136, count: 8)
        try fields.expectZeros(at: 208, count: 48)
        return TensorRecord(
            name: name, type: type, rank: rank, rows: rows, columns: columns, sourceType: sourceType, offset: expectedOffset, bytes: bytes,
            sha256: fields.digest(48), errors: try errors(fields, rows: rows), grids: try grids(fields, type))
    }

    private static func errors(_ fields: Fields, rows: Int) throws(ModelFileError) -> ErrorSums {
        for (index, field) in ["signal", "noise", "stored", "product", "largest_error", "worst_row_ratio"].enumerated() {
            let at = 80 + 8 * index
            let value = fields.double(at)
            guard value.isFinite, value >= 0 || field == "product" else {
                throw fields.failure(at: at, "\(field) is \(value.isNaN ? "nan" : "\(value)"), expected a finite number" + (field == "product" ? "" : ", 0 or more"))
            }
        }
        var sums = ErrorSums()
        sums.signal = fields.double(80)
        sums.noise = fields.double(88)
        sums.stored = fields.double(96)
        sums.product = fields.double(104)
        sums.largest = fields.double(112)
        sums.worstRowRatio = fields.double(120)
        sums.worstRow = Int(try fields.expect("worst_row", at: 128, in: 0...UInt64(rows - 1)))
        return sums
    }

    private static func grids(_ fields: Fields, _ type: StorageType) throws(ModelFileError) -> [UInt8] {
        guard type.traits.usesGrids else {
            try fields.expectZeros(at: 144, count: TensorRecord.gridBytes)
            return []
        }
        let grids = Array(fields.slice(144, TensorRecord.gridBytes))
        let (allowed, codes) = (type.traits.gridBytes, TensorRecord.gridBytes / type.traits.grids)
        if let index = grids.firstIndex(where: { !allowed.contains($0) }) {
            throw fields.failure(
                at: 144 + index, "value \(index % codes) of grid \(index / codes) is \(grids[index]), expected 1 ... \(allowed.upperBound)")
        }
        return grids
    }
}
