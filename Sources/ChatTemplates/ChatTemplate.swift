import StrictJSON

/// A checkpoint's own chat template: the part of Jinja that such templates use, in the environment that transformers gives them
/// (trim_blocks, lstrip_blocks, loop controls, nothing that reaches outside).
package struct ChatTemplate: Sendable {
    static let cure = "choose a built-in format with --chat-format, or fetch the file again from where the model comes from"
    /// Published templates have up to 20 kB.
    static let largest = 256 << 10

    let file: String
    private let statements: [TemplateStatement]

    /// - Parameter file: for messages.
    package init(source: [UInt8], file: String) throws(ChatTemplateError) {
        guard source.count <= Self.largest else {
            throw ChatTemplateError(.limit, file: file, problem: "the template has \(source.count) bytes, expected at most \(Self.largest)", advice: Self.cure)
        }
        guard String(validating: source, as: UTF8.self) != nil else {
            throw ChatTemplateError(.malformed, file: file, problem: "expected UTF-8 text, found other bytes", advice: Self.cure)
        }
        self.file = file
        statements = try TemplateParser.statements(of: source, file: file)
    }

    /// The text with marks of what the template wrote and what came in from `variables`.
    func render(_ variables: [(String, TemplateValue)], date: CalendarDate, limits: TemplateLimits = TemplateLimits()) throws(ChatTemplateError) -> MarkedText {
        let evaluator = TemplateEvaluator(file: file, date: date, limits: limits, variables: variables)
        defer { evaluator.finish() }
        _ = try evaluator.run(statements)
        return evaluator.output
    }

    func render(
        _ messages: [ChatMessage], addGenerationPrompt: Bool, tokens: SpecialTokenTexts, date: CalendarDate
    ) throws(ChatTemplateError) -> MarkedText {
        let list = messages.map { message -> TemplateValue in
            .dictionary(TemplateDictionary([
                ("role", .own(message.role.rawValue)), ("content", .text(MarkedText(message.content, isTrusted: false))),
            ]))
        }
        var variables: [(String, TemplateValue)] = [
            ("messages", .list(list)), ("add_generation_prompt", .bool(addGenerationPrompt)), ("tools", .none), ("documents", .none),
        ]
        for (role, text) in tokens.byRole { variables.append((role, .own(text))) }
        return try render(variables, date: date)
    }
}
