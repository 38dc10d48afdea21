/// Text that a terminal may be given although a model or a file wrote it: what would steer the terminal is shown instead of obeyed.
package enum VisibleText {
    /// Control characters other than line breaks and tabs as `\u{1b}`; so are characters that turn the direction of the text around them,
    /// with which a line can be made to read differently from what it says.
    package static func escaped(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: isHarmful) else { return text }
        var shown = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            if isHarmful(scalar) {
                shown.append(contentsOf: "\\u{\(String(scalar.value, radix: 16))}".unicodeScalars)
            } else {
                shown.append(scalar)
            }
        }
        return String(shown)
    }

    package static func isHarmful(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x09, 0x0A: false
        case 0x00...0x1F, 0x7F...0x9F: true
        // Line and paragraph separator; bidirectional marks, embeddings, overrides and isolates.
        case 0x061C, 0x200E...0x200F, 0x2028...0x202E, 0x2066...0x2069: true
        default: false
        }
    }
}
