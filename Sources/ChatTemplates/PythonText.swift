/// Characters as Python sees them: a text is a row of Unicode scalars.
enum PythonText {
    /// The scalar that begins at an offset of valid UTF-8, and its length in bytes.
    static func scalar(_ bytes: [UInt8], at offset: Int) -> (Unicode.Scalar, Int) {
        let first = UInt32(bytes[offset])
        if first < 0x80 { return (Unicode.Scalar(UInt8(first)), 1) }
        let length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2
        var value = first & (0xFF >> UInt32(length + 1))
        for index in 1..<length { value = value << 6 | UInt32(bytes[offset + index] & 0x3F) }
        return (Unicode.Scalar(value)!, length)
    }

    /// The scalar that ends before an offset of valid UTF-8.
    static func scalar(_ bytes: [UInt8], endingAt end: Int) -> (Unicode.Scalar, Int) {
        var start = end - 1
        while bytes[start] & 0xC0 == 0x80 { start -= 1 }
        return scalar(bytes, at: start)
    }

    /// str.isspace() of one character: Unicode's white space, and the four separators of ASCII.
    static func isSpace(_ scalar: Unicode.Scalar) -> Bool { scalar.properties.isWhitespace || (0x1C...0x1F).contains(scalar.value) }
}
