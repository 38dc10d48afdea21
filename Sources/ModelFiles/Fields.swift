#if _endian(big)
#error("tensor bytes are used in place, so only little-endian machines are supported")
#endif

/// Fixed fields of a structure in a file, read with the checks and messages they share.
struct Fields {
    let bytes: UnsafeRawBufferPointer
    let path: String
    /// What the fields belong to, as messages name it.
    var place: String
    var tensor: String?
    /// Where `bytes` begin in the file; nil for decompressed bytes.
    var fileOffset: UInt64?

    /// The caller has checked that the field lies inside.
    func load<T: FixedWidthInteger>(_ offset: Int, as type: T.Type = T.self) -> T {
        precondition(offset >= 0 && offset + MemoryLayout<T>.size <= bytes.count, "field outside its structure")
        return T(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: T.self))
    }

    func double(_ offset: Int) -> Double { Double(bitPattern: load(offset, as: UInt64.self)) }

    func digest(_ offset: Int) -> Digest32 { Digest32(slice(offset, 32)) }

    func slice(_ offset: Int, _ count: Int) -> UnsafeRawBufferPointer {
        precondition(offset >= 0 && count >= 0 && offset <= bytes.count - count, "field outside its structure")
        return UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + count])
    }

    func failure(at offset: Int? = nil, _ what: String) -> ModelFileError {
        let position = offset.flatMap { offset in fileOffset.map { $0 + UInt64(offset) } }
        return ModelFileError(.invalid, path: path, tensor: tensor, byteOffset: position, "\(place): \(what); \(Cure.convertAgain)")
    }

    func expect<T: FixedWidthInteger>(_ field: String, at offset: Int, _ expected: T) throws(ModelFileError) {
        let found = load(offset, as: T.self)
        guard found == expected else { throw failure(at: offset, "\(field) is \(found), expected \(expected)") }
    }

    func expect<T: FixedWidthInteger>(_ field: String, at offset: Int, in range: ClosedRange<T>) throws(ModelFileError) -> T {
        let found = load(offset, as: T.self)
        guard range.contains(found) else {
            throw failure(at: offset, "\(field) is \(found), expected \(range.count == 1 ? "" : "\(range.lowerBound) ... ")\(range.upperBound)")
        }
        return found
    }

    func expectZeros(at offset: Int, count: Int) throws(ModelFileError) {
        guard let index = slice(offset, count).firstIndex(where: { $0 != 0 }) else { return }
        throw failure(at: offset + index, "reserved byte \(offset + index) is \(bytes[offset + index]), expected 0")
    }
}

extension [UInt8] {
    mutating func store<T: FixedWidthInteger>(_ value: T, at offset: Int) {
        Swift.withUnsafeBytes(of: value.littleEndian) { replaceSubrange(offset..<offset + $0.count, with: $0) }
    }

    mutating func store(_ value: Double, at offset: Int) { store(value.bitPattern, at: offset) }

    mutating func store(_ digest: Digest32, at offset: Int) { replaceSubrange(offset..<offset + 32, with: digest.bytes) }
}

extension UInt64 {
    /// The next multiple, or the number itself; nil above 2^64.
    func alignedUp(to multiple: UInt64) -> UInt64? {
        let (sum, overflow) = addingReportingOverflow(multiple - 1)
        return overflow ? nil : sum / multiple * multiple
    }
}
