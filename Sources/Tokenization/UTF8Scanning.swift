/// Byte-level UTF-8 rules. Swift's String would compare by canonical equivalence and repair malformed input in its own way.
enum UTF8Scanning {
    /// U+FFFD, what each malformed byte becomes.
    static let replacement: [UInt8] = [0xEF, 0xBF, 0xBD]
    /// U+2581, the character that stands for a space inside pieces.
    static let spaceMark: [UInt8] = [0xE2, 0x96, 0x81]

    /// How many bytes the lead byte announces; 0 when the byte cannot begin a character.
    static func announcedLength(_ lead: UInt8) -> Int {
        switch lead {
        case 0x00 ... 0x7F: 1
        case 0xC2 ... 0xDF: 2
        case 0xE0 ... 0xEF: 3
        case 0xF0 ... 0xF4: 4
        default: 0
        }
    }

    /// Length of the well-formed character at `start`; 0 when there is none (overlong, surrogate, too large, cut off).
    static func characterLength(_ bytes: [UInt8], at start: Int) -> Int {
        let lead = bytes[start]
        if lead < 0x80 { return 1 }
        let length = announcedLength(lead)
        if length == 0 || start + length > bytes.count { return 0 }
        if !secondBytes(after: lead).contains(bytes[start + 1]) { return 0 }
        for offset in 2 ..< max(length, 2) where bytes[start + offset] & 0xC0 != 0x80 { return 0 }
        return length
    }

    /// The bytes of a range, each that belongs to no well-formed character replaced.
    static func repaired(_ text: [UInt8], _ range: Range<Int>) -> [UInt8] {
        let fragment = range == text.indices ? text : Array(text[range])
        var position = 0
        while position < fragment.count {
            let length = characterLength(fragment, at: position)
            if length == 0 { break }
            position += length
        }
        if position == fragment.count { return fragment }
        var result = Array(fragment[..<position])
        result.reserveCapacity(fragment.count + fragment.count / 2)
        while position < fragment.count {
            let length = characterLength(fragment, at: position)
            if length == 0 { result += replacement } else { result += fragment[position ..< position + length] }
            position += max(length, 1)
        }
        return result
    }

    /// Length of the longest start of a well-formed character at `start`; at least 1.
    /// Precondition: no whole well-formed character stands there.
    static func maximalSubpart(_ bytes: [UInt8], at start: Int) -> Int {
        let announced = announcedLength(bytes[start])
        var length = 1
        while length < announced, start + length < bytes.count {
            let next = bytes[start + length]
            if length == 1 ? !secondBytes(after: bytes[start]).contains(next) : !isContinuation(next) { break }
            length += 1
        }
        return length
    }

    /// What may follow a lead byte: no overlong forms, no surrogates, nothing above U+10FFFF.
    private static func secondBytes(after lead: UInt8) -> ClosedRange<UInt8> {
        switch lead {
        case 0xE0: 0xA0 ... 0xBF
        case 0xED: 0x80 ... 0x9F
        case 0xF0: 0x90 ... 0xBF
        case 0xF4: 0x80 ... 0x8F
        default: 0x80 ... 0xBF
        }
    }

    static func isContinuation(_ byte: UInt8) -> Bool { byte & 0xC0 == 0x80 }

    /// The character at `start`, its bytes packed into one number: an identity for tables, not a code point.
    /// Precondition: a well-formed character of `length` bytes stands there.
    static func packedCharacter(_ bytes: [UInt8], at start: Int, length: Int) -> UInt32 {
        var packed: UInt32 = 0
        for offset in 0 ..< length { packed = packed << 8 | UInt32(bytes[start + offset]) }
        return packed
    }

    static func hasPrefix(_ bytes: [UInt8], _ prefix: [UInt8], at start: Int = 0) -> Bool {
        if bytes.count - start < prefix.count { return false }
        for offset in 0 ..< prefix.count where bytes[start + offset] != prefix[offset] { return false }
        return true
    }

    /// The bytes with each mark U+2581 turned back into a space. A mark never joins bytes that `result` held before.
    static func append(_ bytes: some Collection<UInt8>, withSpacesTo result: inout [UInt8]) {
        let start = result.count
        for byte in bytes {
            result.append(byte)
            if byte == 0x81, result.count >= start + 3, result[result.count - 2] == 0x96, result[result.count - 3] == 0xE2 {
                result.removeLast(3)
                result.append(0x20)
            }
        }
    }
}
