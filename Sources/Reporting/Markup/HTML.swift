/// Markup. A string that is interpolated into it becomes text: its characters are escaped, so that no name from a file can
/// become markup. Literals and other markup stand as they are.
package struct HTML: Sendable, Equatable, ExpressibleByStringInterpolation {
    package private(set) var text: String

    package init(stringLiteral value: StaticString) { text = value.description }

    package init(stringInterpolation: Interpolation) { text = stringInterpolation.text }

    package struct Interpolation: StringInterpolationProtocol {
        package typealias StringLiteralType = StaticString
        fileprivate var text = ""

        package init(literalCapacity: Int, interpolationCount: Int) { text.reserveCapacity(literalCapacity + 16 * interpolationCount) }

        package mutating func appendLiteral(_ literal: StaticString) { text += literal.description }
        package mutating func appendInterpolation(_ text: String) { self.text += HTML.escaped(text) }
        package mutating func appendInterpolation(_ number: Int) { text += "\(number)" }
        package mutating func appendInterpolation(_ markup: HTML) { text += markup.text }
        package mutating func appendInterpolation(_ parts: [HTML]) { for part in parts { text += part.text } }
        package mutating func appendInterpolation(_ markup: HTML?) { text += markup?.text ?? "" }
    }

    package static func += (left: inout HTML, right: HTML) { left.text += right.text }

    /// Longer strings are cut: a name may be as long as its file wants.
    private static let mostScalars = 1000

    /// Control and invisible characters, those that reverse the direction of text among them, are shown as escapes.
    static func escaped(_ string: String) -> String {
        var result = ""
        for (count, scalar) in string.unicodeScalars.enumerated() {
            if count == mostScalars { return result + "…" }
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            case "'": result += "&#39;"
            default:
                switch scalar.properties.generalCategory {
                case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .unassigned, .surrogate:
                    result += "\\u{\(String(scalar.value, radix: 16))}"
                default: result.unicodeScalars.append(scalar)
                }
            }
        }
        return result
    }
}

extension [HTML] {
    func joined(by separator: HTML) -> HTML {
        var result: HTML = ""
        for (index, part) in enumerated() { result += index == 0 ? part : "\(separator)\(part)" }
        return result
    }
}

extension HTML {
    static func + (left: HTML, right: HTML) -> HTML {
        var result = left
        result += right
        return result
    }
}
