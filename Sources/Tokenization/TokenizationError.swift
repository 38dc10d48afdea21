/// A tokenizer file cannot be used. Says which file, where in it, what was expected, what is there, and what to do.
package struct TokenizationError: Error, Equatable, Sendable, CustomStringConvertible {
    package enum Code: Sendable {
        /// The bytes break the rules of their format.
        case malformed
        /// Valid, but a kind of tokenizer that Quern does not run.
        case unsupported
        /// Two statements contradict each other.
        case inconsistent
        /// A file or value that is needed is not there.
        case missing
    }

    package var code: Code
    package var file: String
    package var place: String
    package var expected: String
    package var found: String
    package var advice: String

    package var description: String {
        "\(file): \(place): expected \(expected), found \(found); \(advice)"
    }

    static func malformed(
        _ file: String, _ place: String, expected: String, found: String,
        advice: String = "fetch the file again from where the model comes from"
    ) -> TokenizationError {
        TokenizationError(code: .malformed, file: file, place: place, expected: expected, found: found, advice: advice)
    }

    static func unsupported(
        _ file: String, _ place: String, expected: String, found: String,
        advice: String = "this tokenizer cannot be used with this version"
    ) -> TokenizationError {
        TokenizationError(code: .unsupported, file: file, place: place, expected: expected, found: found, advice: advice)
    }

    /// File text as it may be shown: in quotes, control characters escaped, cut after 40 characters.
    static func quoted(_ bytes: some Sequence<UInt8>) -> String {
        let text = String(decoding: Array(bytes.prefix(200)), as: UTF8.self)
        var shown = ""
        for (index, scalar) in text.unicodeScalars.enumerated() {
            if index == 40 {
                shown += "…"
                break
            }
            switch scalar.properties.generalCategory {
            case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator:
                shown += "\\u{" + String(scalar.value, radix: 16) + "}"
            default: shown.unicodeScalars.append(scalar)
            }
        }
        return "'" + shown + "'"
    }
}
