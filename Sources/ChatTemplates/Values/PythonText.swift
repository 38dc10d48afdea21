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

extension PythonText {
    private static func isCased(_ scalar: Unicode.Scalar) -> Bool { scalar.properties.isLowercase || isCapital(scalar) }

    /// Upper or title case.
    static func isCapital(_ scalar: Unicode.Scalar) -> Bool {
        scalar.properties.isUppercase || scalar.properties.generalCategory == .titlecaseLetter
    }

    static func isLower(_ text: String) -> Bool {
        text.unicodeScalars.contains { $0.properties.isLowercase } && !text.unicodeScalars.contains { isCapital($0) }
    }

    static func isUpper(_ text: String) -> Bool {
        text.unicodeScalars.contains { $0.properties.isUppercase }
            && !text.unicodeScalars.contains { $0.properties.isLowercase || $0.properties.generalCategory == .titlecaseLetter }
    }

    /// Capitals at the start of each row of cased letters, small letters after it.
    static func title(_ text: MarkedText) -> MarkedText {
        var isInWord = false
        return text.mapped { scalar in
            defer { isInWord = isCased(scalar) }
            return changed(scalar, isInWord ? scalar.properties.lowercaseMapping : scalar.properties.titlecaseMapping)
        }
    }

    /// As the filter `title`: a capital at the start and after white space, hyphens and opening brackets, small letters elsewhere.
    static func words(_ text: MarkedText) -> MarkedText {
        var isInWord = false
        return text.mapped { scalar in
            let separates = isSpace(scalar) || "-({[<".unicodeScalars.contains(scalar)
            defer { isInWord = !separates }
            return changed(scalar, isInWord ? scalar.properties.lowercaseMapping : scalar.properties.uppercaseMapping)
        }
    }

    static func capitalized(_ text: MarkedText) -> MarkedText {
        var isFirst = true
        return text.mapped { scalar in
            defer { isFirst = false }
            return changed(scalar, isFirst ? scalar.properties.titlecaseMapping : scalar.properties.lowercaseMapping)
        }
    }

    /// The new letters; nil where nothing changes.
    static func changed(_ scalar: Unicode.Scalar, _ mapping: String) -> String? {
        mapping.unicodeScalars.elementsEqual(CollectionOfOne(scalar)) ? nil : mapping
    }
}
