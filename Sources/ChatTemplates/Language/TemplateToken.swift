/// A word of a template.
struct TemplateToken: Sendable {
    enum Kind: Sendable, Equatable {
        /// Text outside of tags.
        case data([UInt8])
        case expressionBegin
        case expressionEnd
        case statementBegin
        case statementEnd
        case name(String)
        case text([UInt8])
        case integer(Int)
        case float(Double)
        case symbol(String)
        case end
    }

    var kind: Kind
    var line: Int

    /// For messages.
    var summary: String {
        switch kind {
        case .data: "text"
        case .expressionBegin: "'{{'"
        case .expressionEnd: "'}}'"
        case .statementBegin: "'{%'"
        case .statementEnd: "'%}'"
        case .name(let name): "'\(name)'"
        case .text: "a string"
        case .integer(let value): "\(value)"
        case .float(let value): "\(value)"
        case .symbol(let symbol): "'\(symbol)'"
        case .end: "the end of the template"
        }
    }
}
