import StrictJSON

/// The checkpoint's tokenizer files, verbatim, in one archive.
/// Authority: `Formats/QuernFile.md`, section 7.
package struct TokenizerArchive: Sendable, Equatable {
    package struct File: Sendable, Equatable {
        package var name: String
        package var bytes: [UInt8]

        package init(name: String, bytes: [UInt8]) {
            self.name = name
            self.bytes = bytes
        }
    }

    /// The only names that an archive may hold.
    package static let knownNames = [
        "tokenizer.model", "tokenizer.json", "tokenizer_config.json", "added_tokens.json", "special_tokens_map.json",
        "chat_template.jinja", "vocab.json", "merges.txt",
    ]

    package let files: [File]

    /// At least one file; names known and unique.
    package init(files: [File]) {
        precondition(!files.isEmpty, "a tokenizer has at least one file")
        precondition(Set(files.map(\.name)).count == files.count, "two tokenizer files have the same name")
        for file in files { precondition(Self.knownNames.contains(file.name), "'\(file.name)' is no tokenizer file") }
        self.files = files
    }

    package subscript(_ name: String) -> [UInt8]? { files.first { $0.name == name }?.bytes }

    private static let headBytes = 16

    package func encoded() -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 4)
        bytes.store(UInt32(files.count), at: 0)
        for file in files {
            var head = [UInt8](repeating: 0, count: Self.headBytes)
            head.store(UInt16(file.name.utf8.count), at: 0)
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
            try fields.expectZeros(at: position + 2, count: 6)
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
            files.append(File(name: name, bytes: Array(fields.slice(position, Int(byteCount)))))
            position += Int(byteCount)
        }
        guard position == bytes.count else {
            fields.place = "tokenizer"
            throw fields.failure("\(bytes.count - position) bytes follow the last file, expected none")
        }
        self.files = files
    }
}
