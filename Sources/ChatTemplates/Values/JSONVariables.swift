package import StrictJSON

extension TemplateValue {
    /// A value from outside: its texts are not trusted.
    init(_ json: JSONValue) {
        self = switch json {
        case .null: .none
        case .bool(let value): .bool(value)
        case .integer(let value): .integer(Int(value))
        case .unsigned(let value): .float(Double(value))
        case .number(let number): .float(number.value)
        case .string(let text): .text(MarkedText(validated: text.bytes, isTrusted: false))
        case .array(let elements): .list(elements.map { TemplateValue($0) })
        case .object(let members): .dictionary(TemplateDictionary(members.members.map { ($0.key.string, TemplateValue($0.value)) }))
        }
    }
}

extension ChatTemplate {
    /// The text for any variables. Strings among them are not trusted.
    package func render(
        variables: JSONObject, date: CalendarDate, limits: TemplateLimits = TemplateLimits()
    ) throws(ChatTemplateError) -> [RenderedPiece] {
        try render(variables.members.map { ($0.key.string, TemplateValue($0.value)) }, date: date, limits: limits).pieces
    }
}
