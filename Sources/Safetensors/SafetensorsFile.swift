package import ByteStorage

/// An open safetensors file with its checked header.
package struct SafetensorsFile: Sendable {
    package let file: ReadableFile
    package let header: SafetensorsHeader

    /// Throws `FileError` when the file cannot be read and `SafetensorsError` when it is invalid.
    package static func open(_ path: String) throws -> SafetensorsFile {
        let file = try ReadableFile(path: path)
        let name = AtomicFileWriter.split(path).name
        let firstBytes = try read(file, count: Int(min(file.size, SafetensorsHeader.prefixBytes)))
        // Compared with the file's size before anything of that length is allocated.
        let length = try SafetensorsHeader.textLength(firstBytes: firstBytes, fileSize: file.size, file: name)
        let prefix = try read(file, count: Int(SafetensorsHeader.prefixBytes) + length)
        return SafetensorsFile(file: file, header: try SafetensorsHeader(prefix: prefix, fileSize: file.size, file: name))
    }

    private static func read(_ file: ReadableFile, count: Int) throws(FileError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        // Array's own method does not carry the error's type.
        let result: Result<Void, FileError> = bytes.withUnsafeMutableBytes { buffer in
            Result { () throws(FileError) in try file.read(into: buffer, at: 0) }
        }
        try result.get()
        return bytes
    }
}
