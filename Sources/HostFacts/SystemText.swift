import Glibc

/// Texts of /proc and /sys. Their files say that they have 0 bytes, so they are read until nothing more comes.
enum SystemText {
    static func read(_ path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var text: [UInt8] = []
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 16384, alignment: 16)
        defer { buffer.deallocate() }
        while text.count < 1 << 22 {
            let got = Glibc.read(descriptor, buffer.baseAddress!, buffer.count)
            if got < 0 && errno == EINTR { continue }
            if got <= 0 { break }
            text += UnsafeRawBufferPointer(rebasing: buffer[..<got])
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// The number before "kB" in a line such as "MemTotal:  24684092 kB", in bytes.
    static func kilobytes(_ key: String, in text: String) -> UInt64? {
        for line in text.split(separator: "\n") where line.hasPrefix(key + ":") {
            return line.dropFirst(key.count + 1).split(whereSeparator: \.isWhitespace).first.flatMap { UInt64($0) }.map { $0 << 10 }
        }
        return nil
    }

    static func number(_ path: String) -> Int64? { read(path).flatMap { Int64($0.filter { !$0.isWhitespace }) } }
}
