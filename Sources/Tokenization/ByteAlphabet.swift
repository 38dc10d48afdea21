/// The characters that stand for bytes in a byte-level tokenizer.json. Authority: `Formats/Tokenizers.md`, section 3.
enum ByteAlphabet {
    private static func standsForItself(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x21 ... 0x7E, 0xA1 ... 0xAC, 0xAE ... 0xFF: true
        default: false
        }
    }

    /// Code point to byte, -1 where the character is not in the alphabet.
    private static let bytes: [Int16] = {
        var bytes = [Int16](repeating: -1, count: 0x144)
        var other = 0x100
        for byte in UInt8.min ... UInt8.max {
            if standsForItself(byte) {
                bytes[Int(byte)] = Int16(byte)
            } else {
                bytes[other] = Int16(byte)
                other += 1
            }
        }
        return bytes
    }()

    /// The bytes that a token's text stands for; nil when a character is not in the alphabet. Precondition: well-formed UTF-8.
    static func bytes(of text: [UInt8]) -> [UInt8]? {
        var result: [UInt8] = []
        result.reserveCapacity(text.count)
        var position = 0
        while position < text.count {
            let lead = text[position]
            // All characters of the alphabet have one or two bytes.
            guard lead < 0xE0 else { return nil }
            let code = lead < 0x80 ? Int(lead) : Int(lead & 0x1F) << 6 | Int(text[position + 1] & 0x3F)
            guard code < bytes.count, bytes[code] >= 0 else { return nil }
            result.append(UInt8(bytes[code]))
            position += lead < 0x80 ? 1 : 2
        }
        return result
    }
}
