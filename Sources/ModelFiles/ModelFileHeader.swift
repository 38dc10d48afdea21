/// The first 4096 bytes of a `.quern` file: version, size, and where the four sections lie.
/// Authority: `Formats/QuernFile.md`, sections 2 and 3.
package struct ModelFileHeader: Sendable, Equatable {
    package enum SectionKind: UInt32, CaseIterable, Sendable, CustomStringConvertible {
        case data = 1
        case directory = 2
        case metadata = 3
        case tokenizer = 4

        package var description: String {
            switch self {
            case .data: "data"
            case .directory: "directory"
            case .metadata: "metadata"
            case .tokenizer: "tokenizer"
            }
        }

        /// 0 plain, 1 one zstd frame.
        var encoding: UInt32 { self == .metadata || self == .tokenizer ? 1 : 0 }

        /// Most bytes, stored and decoded; the data section is limited by its tensors.
        package var limit: UInt64 {
            switch self {
            case .data: UInt64.max
            case .directory, .metadata: 64 << 20
            case .tokenizer: 256 << 20
            }
        }
    }

    package struct Section: Sendable, Equatable {
        package var kind: SectionKind
        package var offset: UInt64
        package var storedBytes: UInt64
        package var contentBytes: UInt64
        package var sha256: Digest32

        package init(kind: SectionKind, offset: UInt64, storedBytes: UInt64, contentBytes: UInt64, sha256: Digest32) {
            self.kind = kind
            self.offset = offset
            self.storedBytes = storedBytes
            self.contentBytes = contentBytes
            self.sha256 = sha256
        }

        /// Decoding has checked that this does not overflow.
        package var end: UInt64 { offset + storedBytes }
    }

    package static let byteCount = 4096
    package static let version: UInt32 = 1
    static let magic: [UInt8] = [0x89, 0x51, 0x55, 0x45, 0x52, 0x4E, 0x0D, 0x0A]
    static let digestOffset = 4064
    package static let sectionAlignment: UInt64 = 64

    /// In the order of the file: data, directory, metadata, tokenizer.
    package var sections: [Section]
    /// Whether the tokenizer section needs a reader that knows `byte_level`.
    package var isByteLevel: Bool

    private static let byteLevelFeature: UInt64 = 1 << 1

    package init(sections: [Section], isByteLevel: Bool) {
        precondition(sections.map(\.kind) == SectionKind.allCases, "a header has each section once, in order")
        self.sections = sections
        self.isByteLevel = isByteLevel
    }

    package var fileBytes: UInt64 { sections[3].end }

    package subscript(kind: SectionKind) -> Section { sections[Int(kind.rawValue) - 1] }

    package func encoded() -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Self.byteCount)
        bytes.replaceSubrange(0..<8, with: Self.magic)
        bytes.store(Self.version, at: 8)
        bytes.store(UInt32(Self.byteCount), at: 12)
        bytes.store(isByteLevel ? Self.byteLevelFeature : 0, at: 16)
        bytes.store(fileBytes, at: 24)
        bytes.store(UInt32(sections.count), at: 32)
        for (index, section) in sections.enumerated() {
            let entry = 64 + 64 * index
            bytes.store(section.kind.rawValue, at: entry)
            bytes.store(section.kind.encoding, at: entry + 4)
            bytes.store(section.offset, at: entry + 8)
            bytes.store(section.storedBytes, at: entry + 16)
            bytes.store(section.contentBytes, at: entry + 24)
            bytes.store(section.sha256, at: entry + 32)
        }
        bytes.store(Digest32.of(Array(bytes[..<Self.digestOffset])), at: Self.digestOffset)
        return bytes
    }

    /// The header's SHA-256, which it ends with. It names the whole content: the header holds a digest of every section.
    package var sha256: Digest32 { Digest32(encoded()[Self.digestOffset...]) }

    /// Checks a header against the real size of its file. `bytes` are the file's first 4096, or all of a shorter file.
    package init(decoding bytes: UnsafeRawBufferPointer, fileBytes: UInt64, path: String) throws(ModelFileError) {
        if let problem = FileRecognition.problem(beginning: bytes, fileBytes: fileBytes, path: path) { throw problem }
        guard bytes.count >= Self.byteCount else { throw Self.truncated(fileBytes, path: path) }
        let fields = Fields(bytes: bytes, path: path, place: "header", fileOffset: 0)
        let stated = fields.load(24, as: UInt64.self)
        guard stated == fileBytes else {
            let (verdict, cure) =
                fileBytes < stated
                ? ("truncated: \(stated - fileBytes == 1 ? "1 byte is" : "\(stated - fileBytes) bytes are") missing", "copy it again")
                : ("extended: \(fileBytes - stated) byte\(fileBytes - stated == 1 ? "" : "s") too many", "copy it again, or cut what was appended")
            throw ModelFileError(
                .wrongSize, path: path, byteOffset: 24,
                "the header says \(stated) bytes, but the file has \(fileBytes), so it is \(verdict); \(cure)")
        }
        guard Digest32.of(fields.slice(0, Self.digestOffset)) == fields.digest(Self.digestOffset) else {
            throw ModelFileError(
                .damaged, path: path, byteOffset: 0, "header: its bytes do not have the SHA-256 stored at byte 4064; \(Cure.copyAgain)")
        }
        try fields.expect("header_bytes", at: 12, UInt32(Self.byteCount))
        let features = fields.load(16, as: UInt64.self)
        let unknown = features & ~Self.byteLevelFeature
        guard unknown == 0 else {
            let bits = (0..<64).filter { unknown >> UInt64($0) & 1 == 1 }.map(String.init).joined(separator: ", ")
            throw ModelFileError(
                .unknownFeature, path: path, byteOffset: 16,
                "header: the file needs features that this program does not know (bits \(bits) of required_features); use a newer quern")
        }
        try fields.expect("section_count", at: 32, UInt32(4))
        try fields.expectZeros(at: 36, count: 28)
        try fields.expectZeros(at: 320, count: Self.digestOffset - 320)

        var sections: [Section] = []
        var expectedOffset = UInt64(Self.byteCount)
        for kind in SectionKind.allCases {
            let section = try Self.section(kind, at: expectedOffset, fileBytes: fileBytes, fields)
            sections.append(section)
            // The end is at most the file's size, which is below 2^63.
            expectedOffset = section.end.alignedUp(to: Self.sectionAlignment)!
        }
        guard sections[3].end == fileBytes else {
            throw fields.failure("the tokenizer section ends at byte \(sections[3].end), expected the end of the file, \(fileBytes)")
        }
        self.sections = sections
        isByteLevel = features & Self.byteLevelFeature != 0
    }

    private static func section(
        _ kind: SectionKind, at expectedOffset: UInt64, fileBytes: UInt64, _ header: Fields
    ) throws(ModelFileError) -> Section {
        let entry = 64 * Int(kind.rawValue)
        var fields = header
        fields.place = "header: \(kind) section"
        try fields.expect("kind", at: entry, kind.rawValue)
        try fields.expect("encoding", at: entry + 4, kind.encoding)
        try fields.expect("offset", at: entry + 8, expectedOffset)
        let room = fileBytes > expectedOffset ? fileBytes - expectedOffset : 0
        guard room > 0 else { throw fields.failure(at: entry + 8, "offset is \(expectedOffset), but the file has \(fileBytes) bytes") }
        let stored: UInt64 = try fields.expect("stored_bytes", at: entry + 16, in: 1...min(room, kind.limit))
        if kind.encoding == 0 { try fields.expect("content_bytes", at: entry + 24, stored) }
        let content: UInt64 = try fields.expect("content_bytes", at: entry + 24, in: 1...kind.limit)
        return Section(
            kind: kind, offset: expectedOffset, storedBytes: stored, contentBytes: content, sha256: fields.digest(entry + 32))
    }

    static func truncated(_ fileBytes: UInt64, path: String) -> ModelFileError {
        ModelFileError(
            .wrongSize, path: path, "the file has \(fileBytes) bytes, but the header alone has \(byteCount), so it is truncated; copy it again")
    }
}
