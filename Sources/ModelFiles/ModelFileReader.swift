package import ByteStorage

/// An open `.quern` file. Opening checks the header, the directory, the metadata and the tokenizer with their digests;
/// it reads no tensor, so it takes milliseconds. `verify` checks the tensors' bytes.
///
/// *Threads*: everything may be used from several threads.
package final class ModelFileReader: Sendable {
    package let path: String
    package let header: ModelFileHeader
    /// In the order of the file, which is the order of execution.
    package let tensors: [TensorRecord]
    package let metadata: ModelMetadata
    package let tokenizer: TokenizerArchive
    /// Tensors are mapped pages of this file; one that is cut while in use ends the program (SIGBUS).
    package let mapping: MappedFile
    /// The same open file, so that verifying cannot see another one that took its name.
    let file: ReadableFile
    /// Keyed by bytes: strings compare equal when only their Unicode normalization differs.
    private let indices: [[UInt8]: Int]

    package var fileBytes: UInt64 { header.fileBytes }

    package init(path: String) throws(ModelFileError) {
        let mapping: MappedFile
        do throws(FileError) {
            file = try ReadableFile(path: path)
            mapping = try MappedFile(file)
        } catch {
            var error = error
            // The path leads to something else than a file.
            if error.reason != nil { error.advice = "give a .quern file, made with 'quern convert'" }
            throw ModelFileError(error)
        }
        // When a check throws, the mapping must not go before the last look at its bytes.
        defer { withExtendedLifetime(mapping) {} }
        let bytes = mapping.bytes
        self.mapping = mapping
        self.path = path
        let start = UnsafeRawBufferPointer(rebasing: bytes.prefix(ModelFileHeader.byteCount))
        header = try ModelFileHeader(decoding: start, fileBytes: UInt64(bytes.count), path: path)
        try SectionContent.checkGaps(bytes, header, path: path)

        let section = header[.directory]
        let directory = try TensorDirectory(
            decoding: SectionContent.stored(.directory, bytes, header, path: path), fileOffset: section.offset, dataEnd: header[.data].end,
            path: path)
        guard directory.dataDigest == header[.data].sha256 else {
            throw ModelFileError(
                .invalid, path: path, "header: data section: sha256 is not the digest of the tensors' digests; \(Cure.convertAgain)")
        }
        tensors = directory.tensors
        indices = Dictionary(uniqueKeysWithValues: directory.tensors.enumerated().map { (Array($1.name.utf8), $0) })
        metadata = try ModelMetadata(decoding: SectionContent.decoded(.metadata, bytes, header, path: path), path: path)
        let archive = try SectionContent.decoded(.tokenizer, bytes, header, path: path)
        tokenizer = try archive.withUnsafeBufferPointer { (bytes) throws(ModelFileError) in
            try TokenizerArchive(decoding: UnsafeRawBufferPointer(bytes), path: path)
        }
        guard tokenizer.isByteLevel == header.isByteLevel else {
            throw ModelFileError(
                .invalid, path: path, byteOffset: 16,
                "header: bit 1 of required_features is \(header.isByteLevel ? "set" : "not set"), but the tokenizer section has "
                    + "\(tokenizer.isByteLevel ? "a" : "no") \(TokenizerArchive.byteLevelName); \(Cure.convertAgain)")
        }
    }

    package func tensor(named name: String) -> TensorRecord? { indices[Array(name.utf8)].map { tensors[$0] } }

    /// The tensor's bytes, mapped, in the layout of `record.layout`; aligned to 4096. They live as long as the reader,
    /// which the compiler may release after its last use: keep it with `withExtendedLifetime` while bytes are in use.
    /// `record` must be one of this reader's.
    package func bytes(of record: TensorRecord) -> UnsafeRawBufferPointer {
        let data = header[.data]
        precondition(record.offset >= data.offset && record.end <= data.end, "tensor '\(record.name)' is not from this file")
        return UnsafeRawBufferPointer(rebasing: mapping.bytes[Int(record.offset)..<Int(record.end)])
    }

    /// Gives the memory of the file's pages in the range back; they are read again when touched.
    package func drop(_ range: Range<Int>) {
        // Pages that are mapped would stay in the system's cache.
        mapping.release(range)
        file.dropCache(offset: UInt64(range.lowerBound), count: UInt64(range.count))
    }

    /// Whether the file exists and begins as a `.quern` file of any version; it may still be damaged.
    package static func looksLikeModelFile(_ path: String) -> Bool {
        guard Folders.kind(of: path) == .file, let file = try? ReadableFile(path: path) else { return false }
        return file.begins(with: ModelFileHeader.magic)
    }
}

/// From a section's entry in the header to its checked bytes.
enum SectionContent {
    /// The bytes between sections must be zero.
    static func checkGaps(_ bytes: UnsafeRawBufferPointer, _ header: ModelFileHeader, path: String) throws(ModelFileError) {
        for (section, next) in zip(header.sections, header.sections.dropFirst()) {
            for index in Int(section.end)..<Int(next.offset) where bytes[index] != 0 {
                throw ModelFileError(
                    .damaged, path: path, byteOffset: UInt64(index),
                    "byte \(index), between the \(section.kind) and \(next.kind) sections, is \(bytes[index]), expected 0; \(Cure.copyAgain)")
            }
        }
    }

    static func stored(
        _ kind: ModelFileHeader.SectionKind, _ bytes: UnsafeRawBufferPointer, _ header: ModelFileHeader, path: String
    ) throws(ModelFileError) -> UnsafeRawBufferPointer {
        let section = header[kind]
        let stored = UnsafeRawBufferPointer(rebasing: bytes[Int(section.offset)..<Int(section.end)])
        guard Digest32.of(stored) == section.sha256 else {
            throw ModelFileError(
                .damaged, path: path, byteOffset: section.offset,
                "\(kind) section: its \(section.storedBytes) bytes do not have the SHA-256 stored in the header; \(Cure.copyAgain)")
        }
        return stored
    }

    static func decoded(
        _ kind: ModelFileHeader.SectionKind, _ bytes: UnsafeRawBufferPointer, _ header: ModelFileHeader, path: String
    ) throws(ModelFileError) -> [UInt8] {
        let stored = try stored(kind, bytes, header, path: path)
        do throws(ZstdFrame.Failure) {
            return try ZstdFrame.decompress(stored, expectedSize: header[kind].contentBytes, limit: kind.limit)
        } catch {
            throw ModelFileError(.invalid, path: path, byteOffset: header[kind].offset, "\(kind) section: \(error); \(Cure.convertAgain)")
        }
    }
}
