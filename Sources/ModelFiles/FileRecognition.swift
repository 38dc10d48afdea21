import ByteStorage

/// Tells a `.quern` file of a known version from other files, and names the well-known ones.
enum FileRecognition {
    /// Nil when magic and version are right. The header's other fields are not looked at.
    static func problem(beginning bytes: UnsafeRawBufferPointer, fileBytes: UInt64, path: String) -> ModelFileError? {
        let magic = ModelFileHeader.magic
        let start = Array(bytes.prefix(magic.count))
        if start.isEmpty { return error(path, "the file is empty; expected a quern model file") }
        guard start == magic else {
            if magic.starts(with: start) { return ModelFileHeader.truncated(fileBytes, path: path) }
            return error(path, mismatch(start, bytes))
        }
        guard bytes.count >= 12 else { return ModelFileHeader.truncated(fileBytes, path: path) }
        let version = Fields(bytes: bytes, path: path, place: "header").load(8, as: UInt32.self)
        guard version == ModelFileHeader.version else {
            return ModelFileError(
                .newerVersion, path: path, byteOffset: 8,
                "the file has version \(version) of the quern format, but this program reads version \(ModelFileHeader.version); "
                    + (version > ModelFileHeader.version ? "use a newer quern" : "convert the model again"))
        }
        return nil
    }

    private static func mismatch(_ start: [UInt8], _ bytes: UnsafeRawBufferPointer) -> String {
        let magic = ModelFileHeader.magic
        if start.starts(with: Array("GGUF".utf8)) {
            return "this is a GGUF file, not a quern model file; convert the original safetensors checkpoint with 'quern convert'"
        }
        if bytes.count > 8 && bytes[8] == UInt8(ascii: "{") {
            return "this looks like a safetensors file, not a quern model file; convert the checkpoint's folder with 'quern convert'"
        }
        if start.starts(with: magic.prefix(6)) {
            return "the bytes after QUERN are \(spaced(start.dropFirst(6))), expected \(spaced(magic.dropFirst(6))): "
                + "a transfer in text mode changed the file; copy it again in binary mode"
        }
        return "this is not a quern model file: it begins with \(spaced(start)), expected \(spaced(magic))"
    }

    private static func spaced(_ bytes: some Sequence<UInt8>) -> String {
        bytes.map { Hexadecimal.text([$0]).uppercased() }.joined(separator: " ")
    }

    private static func error(_ path: String, _ message: String) -> ModelFileError {
        ModelFileError(.notAModelFile, path: path, message)
    }
}
