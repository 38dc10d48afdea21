import ModelFiles

/// Makes the digests of a changed session file right again.
enum ForgedDigests {
    static func renew(_ bytes: inout [UInt8]) {
        let offset = bytes[64..<72].reversed().reduce(0) { $0 << 8 | UInt64($1) }
        if offset >= 256, offset <= UInt64(bytes.count) {
            bytes.replaceSubrange(128..<160, with: Digest32.of(Array(bytes[256..<Int(offset)])).bytes)
            bytes.replaceSubrange(160..<192, with: Digest32.of(Array(bytes[Int(offset)...])).bytes)
        }
        bytes.replaceSubrange(224..<256, with: Digest32.of(Array(bytes[..<224])).bytes)
    }
}
