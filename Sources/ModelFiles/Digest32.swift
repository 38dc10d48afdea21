import Crypto

/// A SHA-256 digest.
package struct Digest32: Hashable, Sendable, CustomStringConvertible {
    private var storage: SIMD32<UInt8>

    /// 32 bytes. A caller with another count is in error.
    package init(_ bytes: some Collection<UInt8>) {
        precondition(bytes.count == 32, "a SHA-256 digest has 32 bytes, not \(bytes.count)")
        storage = SIMD32(bytes)
    }

    /// Nil unless the text is 64 lower-case hexadecimal digits.
    package init?(hex: String) {
        let digits = Array(hex.utf8)
        guard digits.count == 64 else { return nil }
        var bytes: [UInt8] = []
        for index in stride(from: 0, to: 64, by: 2) {
            guard let high = Hexadecimal.value(of: digits[index]), let low = Hexadecimal.value(of: digits[index + 1]) else { return nil }
            bytes.append(high << 4 | low)
        }
        self.init(bytes)
    }

    package var bytes: [UInt8] { storage.indices.map { storage[$0] } }
    package var hex: String { Hexadecimal.text(bytes) }
    package var description: String { hex }

    package static func of(_ bytes: UnsafeRawBufferPointer) -> Digest32 {
        var digest = StreamingDigest()
        digest.update(bytes)
        return digest.finalize()
    }

    package static func of(_ bytes: [UInt8]) -> Digest32 { bytes.withUnsafeBytes { of($0) } }
}

/// SHA-256 of bytes that come piece by piece.
package struct StreamingDigest: Sendable {
    private var hash = SHA256()

    package init() {}

    package mutating func update(_ bytes: UnsafeRawBufferPointer) { hash.update(bufferPointer: bytes) }

    /// The digest of everything so far; more may follow.
    package func finalize() -> Digest32 { Digest32(Array(hash.finalize())) }
}

package enum Hexadecimal {
    private static let digits = Array("0123456789abcdef".utf8)

    package static func text(_ bytes: some Sequence<UInt8>) -> String {
        var text: [UInt8] = []
        for byte in bytes {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }

    static func value(of digit: UInt8) -> UInt8? { digits.firstIndex(of: digit).map { UInt8($0) } }
}
