/// The UTF-8 bytes of a JSON string. Compared and hashed as bytes: Swift's `String` treats canonically equivalent
/// texts as equal, which would merge different keys, tensor names and vocabulary entries.
package struct JSONString: Sendable, Hashable {
    /// Valid UTF-8 when it came from the reader or from a `String`.
    package let bytes: [UInt8]

    package init(_ string: some StringProtocol) { bytes = Array(string.utf8) }

    init(validated bytes: [UInt8]) { self.bytes = bytes }

    package var string: String { String(decoding: bytes, as: UTF8.self) }

    package var isEmpty: Bool { bytes.isEmpty }

    /// For messages: in single quotes, control and invisible characters escaped (a name from a file must not
    /// steer the terminal), cut after 120 characters.
    package var quoted: String { Self.quoted(string) }

    package static func quoted(_ text: String) -> String {
        var result = "'"
        for (count, scalar) in text.unicodeScalars.enumerated() {
            if count == 120 { return result + "…'" }
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .unassigned:
                result += "\\u{\(String(scalar.value, radix: 16))}"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "'"
    }

    package func hasSuffix(_ suffix: String) -> Bool { bytes.suffix(suffix.utf8.count).elementsEqual(suffix.utf8) }

    package func hash(into hasher: inout Hasher) {
        bytes.withUnsafeBytes { hasher.combine(bytes: $0) }
    }
}

extension JSONString: Comparable {
    package static func < (left: JSONString, right: JSONString) -> Bool { left.bytes.lexicographicallyPrecedes(right.bytes) }
}

extension JSONString: ExpressibleByStringLiteral, CustomStringConvertible {
    package init(stringLiteral value: String) { self.init(value) }
    package var description: String { string }
}
