import StrictJSON

/// The checkpoint's tokenizer files, verbatim, in one archive, and what was made from them for a quick start.
/// Authority: `Formats/QuernFile.md`, section 7.
package struct TokenizerArchive: Sendable, Equatable {
    package struct File: Sendable, Equatable {
        package var name: String
        /// The file, or a zstd frame of it.
        package var bytes: [UInt8]
        package var isCompressed = false

        package init(name: String, bytes: [UInt8]) {
            self.name = name
            self.bytes = bytes
        }

        /// The file's own bytes.
        package func contents() throws(ZstdFrame.Failure) -> [UInt8] {
            guard isCompressed else { return bytes }
            return try bytes.withUnsafeBufferPointer { (frame) throws(ZstdFrame.Failure) in
                try ZstdFrame.decompress(UnsafeRawBufferPointer(frame), limit: TokenizerArchive.largestCompressed)
            }
        }
    }

    /// Files of a checkpoint.
    package static let checkpointNames = [
        "tokenizer.model", "tokenizer.json", "tokenizer_config.json", "added_tokens.json", "special_tokens_map.json",
        "chat_template.jinja", "vocab.json", "merges.txt",
    ]
    /// Made from `compressedName`, which a program that runs the model then need not read.
    package static let byteLevelName = "byte_level.vocabulary"
    private static let compressedName = "tokenizer.json"
    /// The only names that an archive may hold.
    package static let knownNames = checkpointNames + [byteLevelName]
    private static let largestCompressed: UInt64 = 64 << 20

    package let files: [File]

    /// At least one file; names known and unique.
    package init(files: [File]) {
        precondition(!files.isEmpty, "a tokenizer has at least one file")
        precondition(Set(files.map(\.name)).count == files.count, "two tokenizer files have the same name")
        for file in files { precondition(Self.knownNames.contains(file.name), "'\(file.name)' is no tokenizer file") }
        self.files = files
    }

    /// Nil for a file that is compressed, too; see `File.contents`.
    package subscript(_ name: String) -> [UInt8]? { files.first { $0.name == name && !$0.isCompressed }?.bytes }

    /// Whether a reader must know more than the first version had: feature bit 1 of the header.
    package var isByteLevel: Bool { self[Self.byteLevelName] != nil }

    /// The archive as it is to be written: beside the byte-level vocabulary, the file that it was made from is compressed.
    package func packed() -> TokenizerArchive {
        guard isByteLevel else { return self }
        return TokenizerArchive(files: files.map { file in
            guard file.name == Self.compressedName, !file.isCompressed else { return file }
            // A higher level would take ten times as long to save a tenth.
            var packed = File(name: file.name, bytes: ZstdFrame.compress(file.bytes, level: 3))
            packed.isCompressed = true
            return packed
        })
    }

    private static let headBytes = 16

    package func encoded() -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 4)
        bytes.store(UInt32(files.count), at: 0)
        for file in files {
            var head = [UInt8](repeating: 0, count: Self.headBytes)
            head.store(UInt16(file.name.utf8.count), at: 0)
            head.store(UInt16(file.isCompressed ? 1 : 0), at: 2)
            head.store(UInt64(file.bytes.count), at: 8)
            bytes += head
            bytes += file.name.utf8
            bytes += file.bytes
        }
        return bytes
    }

    package init(decoding bytes: UnsafeRawBufferPointer, path: String) throws(ModelFileError) {
        var fields = Fields(bytes: bytes, path: path, place: "tokenizer")
        guard bytes.count >= 4 else { throw fields.failure("the archive has \(bytes.count) bytes, expected at least 4") }
        let count = try fields.expect("file_count", at: 0, in: 1...UInt32(16))
        var files: [File] = []
        var position = 4
        for index in 0..<count {
            fields.place = "tokenizer: file \(index)"
            guard bytes.count - position >= Self.headBytes else { throw fields.failure("the archive ends within the file's head") }
            let nameLength = Int(fields.load(position, as: UInt16.self))
            let encoding = fields.load(position + 2, as: UInt16.self)
            try fields.expectZeros(at: position + 4, count: 4)
            let byteCount = fields.load(position + 8, as: UInt64.self)
            position += Self.headBytes
            guard nameLength <= bytes.count - position else { throw fields.failure("the archive ends within the file's name") }
            let name = String(decoding: fields.slice(position, nameLength), as: UTF8.self)
            position += nameLength
            guard Self.knownNames.contains(name) else {
                throw fields.failure("its name is \(JSONString.quoted(name)), expected one of \(Self.knownNames.joined(separator: ", "))")
            }
            fields.place = "tokenizer: file '\(name)'"
            guard !files.contains(where: { $0.name == name }) else { throw fields.failure("the name occurs twice") }
            guard byteCount <= UInt64(bytes.count - position) else {
                throw fields.failure("byte_count is \(byteCount), but the archive has only \(bytes.count - position) bytes left")
            }
            guard encoding == 0 || encoding == 1 && name == Self.compressedName else {
                throw fields.failure("encoding is \(encoding), expected 0\(name == Self.compressedName ? " or 1" : "")")
            }
            var file = File(name: name, bytes: Array(fields.slice(position, Int(byteCount))))
            file.isCompressed = encoding == 1
            files.append(file)
            position += Int(byteCount)
        }
        guard position == bytes.count else {
            fields.place = "tokenizer"
            throw fields.failure("\(bytes.count - position) bytes follow the last file, expected none")
        }
        fields.place = "tokenizer: file '\(Self.compressedName)'"
        let isByteLevel = files.contains { $0.name == Self.byteLevelName }
        if isByteLevel != files.contains(where: \.isCompressed) {
            throw fields.failure("encoding must be 1 beside \(Self.byteLevelName), and only there")
        }
        self.files = files
    }
}
