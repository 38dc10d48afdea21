import ByteStorage
import Conversion
import Glibc

extension InputText {
    private static let largestFile = 64 << 20

    /// A file's bytes, or what comes out of a pipe until its writers are done.
    static func readFile(_ path: String) throws -> [UInt8] {
        guard Folders.kind(of: path) == .other else { return try ReadableFile(path: path).readAll(limit: UInt64(largestFile)) }
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw FileError(operation: "open", path: path, errno: errno) }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw FileError(operation: "read", path: path, errno: errno) }
            if count == 0 { return bytes }
            bytes += buffer[..<count]
            guard bytes.count <= largestFile else {
                throw ConversionError("\(path): more than \(largestFile) bytes of text; give less")
            }
        }
    }
}
