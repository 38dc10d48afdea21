package import Inference
import Kernels
package import ModelFiles

/// Which keys and values a session file holds: those of this model, stored so.
package struct SessionKind: Sendable, Equatable {
    package var model: Digest32
    package var element: KeyValueCache.Element
    package var layers: Int
    package var heads: Int
    package var headSize: Int
    /// No product had its block scales folded.
    package var isExact: Bool

    package init(model: Digest32, element: KeyValueCache.Element, layers: Int, heads: Int, headSize: Int, isExact: Bool) {
        (self.model, self.element, self.layers, self.heads, self.headSize, self.isExact) = (model, element, layers, heads, headSize, isExact)
    }

    /// What a session computes.
    package init(_ session: LlamaSession) {
        let cache = session.cache
        self.init(
            model: session.model.reader.header.sha256, element: cache.element, layers: cache.layers, heads: cache.heads, headSize: cache.headSize,
            isExact: session.precision == .exact)
    }
}

/// The first 256 bytes. Authority: Formats/SessionFile.md, section 3.
struct SessionHeader: Equatable {
    static let magic: [UInt8] = [0x89, 0x51, 0x53, 0x45, 0x53, 0x0D, 0x0A, 0x1A]
    static let version: UInt32 = 1
    static let byteCount = 256
    static let mostPositions = 1 << 20
    static let metadataBytes = 2...(64 << 20)

    var kind: SessionKind
    var positions: Int
    var metadataLength: Int
    var text = Digest32([UInt8](repeating: 0, count: 32))
    var cache = Digest32([UInt8](repeating: 0, count: 32))

    var tokenBytes: Int { positions * 4 }
    var cacheOffset: Int { (Self.byteCount + tokenBytes + metadataLength + 4095) / 4096 * 4096 }

    /// Bytes of keys and values, section 6; nil above 2^62, which no file has.
    var cacheBytes: Int? {
        let width = (kind.headSize + 31) / 32 * 32, groups = (positions + 15) / 16
        let bytesPerValue = kind.element.bytes
        // At most 2^16 x 2^17 x 2^7 here.
        let head = 32 * groups * width * bytesPerValue + (kind.element == .q8 ? 4 * groups * width : 0)
        let (heads, overflow) = head.multipliedReportingOverflow(by: kind.layers * kind.heads)
        return overflow || heads >= 1 << 62 ? nil : heads
    }

    /// The numbers of the elements in the file.
    private static let elements: [(KeyValueCache.Element, UInt32)] = [(.f16, 1), (.f32, 2), (.q8, 3)]

    init(kind: SessionKind, positions: Int, metadataLength: Int) {
        precondition((0...Self.mostPositions).contains(positions) && Self.metadataBytes.contains(metadataLength), "\(positions) positions")
        (self.kind, self.positions, self.metadataLength) = (kind, positions, metadataLength)
    }

    func encoded() -> [UInt8] {
        var out = [UInt8](repeating: 0, count: Self.byteCount)
        out.replaceSubrange(0..<8, with: Self.magic)
        out.store(Self.version, at: 8)
        out.store(UInt32(Self.byteCount), at: 12)
        out.store(UInt64(cacheOffset + cacheBytes!), at: 24)
        out.store(Self.elements.first { $0.0 == kind.element }!.1, at: 32)
        out.store(UInt32(kind.layers), at: 36)
        out.store(UInt32(kind.heads), at: 40)
        out.store(UInt32(kind.headSize), at: 44)
        out.store(UInt32(positions), at: 48)
        out.store(UInt32(kind.isExact ? 0 : 1), at: 52)
        out.store(UInt64(metadataLength), at: 56)
        out.store(UInt64(cacheOffset), at: 64)
        out.replaceSubrange(96..<128, with: kind.model.bytes)
        out.replaceSubrange(128..<160, with: text.bytes)
        out.replaceSubrange(160..<192, with: cache.bytes)
        out.replaceSubrange(224..<256, with: Digest32.of(Array(out[..<224])).bytes)
        return out
    }

    /// Checks the first 256 bytes, or all of a shorter file, against the file's real size.
    init(decoding head: UnsafeRawBufferPointer, fileBytes: UInt64, path: String) throws(SessionFileError) {
        func fail(_ code: SessionFileError.Code, _ text: String) -> SessionFileError { SessionFileError(code, path: path, text) }
        func invalid(_ text: String) -> SessionFileError { fail(.invalid, "header: \(text); \(Cure.brokenWriter)") }
        guard head.prefix(8).elementsEqual(Self.magic) else {
            let start = Hexadecimal.text(head.prefix(8)).uppercased()
            throw fail(.notASessionFile, "this is no session file: it begins with \(start.isEmpty ? "nothing" : start); it is left as it is; \(Cure.otherName)")
        }
        guard head.count >= Self.byteCount else {
            throw fail(.wrongSize, "truncated: the header has \(Self.byteCount) bytes, the file \(head.count); \(Cure.startAgain)")
        }
        guard head.u32(8) == Self.version else {
            throw fail(.newerVersion, "version \(head.u32(8)) of the format, this program reads version \(Self.version); \(Cure.otherName)")
        }
        guard head.u64(24) == fileBytes else {
            throw fail(
                .wrongSize, "\(fileBytes < head.u64(24) ? "truncated" : "extended"): the header says \(head.u64(24)) bytes, the file has \(fileBytes); \(Cure.startAgain)")
        }
        guard Digest32.of(UnsafeRawBufferPointer(rebasing: head[..<224])) == Digest32(head[224..<256]) else {
            throw fail(.damaged, "the header does not have its SHA-256; \(Cure.startAgain)")
        }
        guard head.u64(16) == 0 else {
            throw fail(.unknownFeature, "needs features 0x\(String(head.u64(16), radix: 16)), which this program does not know; \(Cure.otherName)")
        }
        func number(_ name: String, _ value: UInt64, _ range: ClosedRange<Int>) throws(SessionFileError) -> Int {
            guard value >= UInt64(range.lowerBound), value <= UInt64(range.upperBound) else {
                throw invalid("\(name) is \(value), expected \(range.lowerBound) ... \(range.upperBound)")
            }
            return Int(value)
        }
        _ = try number("header_bytes", UInt64(head.u32(12)), Self.byteCount...Self.byteCount)
        let code = head.u32(32)
        guard let element = Self.elements.first(where: { $0.1 == code })?.0 else { throw invalid("element is \(code), expected 1, 2 or 3") }
        let layers = try number("layers", UInt64(head.u32(36)), 1...1024)
        let heads = try number("heads", UInt64(head.u32(40)), 1...65536)
        let headSize = try number("head_size", UInt64(head.u32(44)), 1...65536)
        let positions = try number("positions", UInt64(head.u32(48)), 0...Self.mostPositions)
        let precision = try number("precision", UInt64(head.u32(52)), 0...1)
        let metadata = try number("metadata_bytes", head.u64(56), Self.metadataBytes)
        guard head[72..<96].allSatisfy({ $0 == 0 }), head[192..<224].allSatisfy({ $0 == 0 }) else { throw invalid("a reserved byte is not 0") }
        self.init(
            kind: SessionKind(
                model: Digest32(head[96..<128]), element: element, layers: layers, heads: heads, headSize: headSize, isExact: precision == 0),
            positions: positions, metadataLength: metadata)
        text = Digest32(head[128..<160])
        cache = Digest32(head[160..<192])
        guard head.u64(64) == UInt64(cacheOffset) else { throw invalid("cache_offset is \(head.u64(64)), expected \(cacheOffset)") }
        guard let cacheBytes, UInt64(cacheOffset) + UInt64(cacheBytes) == fileBytes else {
            throw invalid(
                "\(positions) positions of \(layers) layers, \(heads) heads and \(headSize) components make \(cacheBytes.map { "\(cacheOffset + $0)" } ?? "too many") bytes, "
                    + "the file has \(fileBytes)")
        }
    }
}

extension UnsafeRawBufferPointer {
    /// The caller has checked that the field lies inside.
    func u32(_ offset: Int) -> UInt32 { UInt32(littleEndian: loadUnaligned(fromByteOffset: offset, as: UInt32.self)) }
    func u64(_ offset: Int) -> UInt64 { UInt64(littleEndian: loadUnaligned(fromByteOffset: offset, as: UInt64.self)) }
}

extension [UInt8] {
    mutating func store<T: FixedWidthInteger>(_ value: T, at offset: Int) {
        Swift.withUnsafeBytes(of: value.littleEndian) { replaceSubrange(offset..<offset + $0.count, with: $0) }
    }
}
