/// Renders one conversation. Refuses to do more work or to use more memory than `TemplateLimits` says.
final class TemplateEvaluator {
    let file: String
    let date: CalendarDate
    private let limits: TemplateLimits
    private var steps = 0
    private var bytes = 0
    private var depth = 0
    /// Of the statement or operation at work, for messages.
    var line = 1
    var scope: TemplateScope
    var output = MarkedText()
    /// Macros and namespaces can hold each other in a circle or in a long chain; held here, they are taken apart one by one at the end.
    private var macroScopes: [TemplateScope] = []
    private var namespaces: [TemplateNamespace] = []

    init(file: String, date: CalendarDate, limits: TemplateLimits, variables: [(String, TemplateValue)]) {
        self.file = file
        self.date = date
        self.limits = limits
        let globals = TemplateScope(within: nil)
        for (name, function) in TemplateFunctions.table { globals.set(name, .function(name, function)) }
        for (name, value) in variables { globals.set(name, value) }
        scope = TemplateScope(within: globals)
    }

    // MARK: Limits

    func step(count: Int) throws(ChatTemplateError) {
        steps += count
        if steps > limits.steps { throw limit("the template takes more than \(limits.steps) steps") }
    }

    /// Every text and list that is made counts, even if it is dropped at once; so this bounds both memory and time.
    func charge(bytes count: Int) throws(ChatTemplateError) {
        bytes += count
        if bytes > limits.bytes || count > limits.bytes { throw limit("the template makes more than \(limits.bytes >> 20) MiB of text and lists") }
    }

    /// One more than a list may have.
    var mostElements: Int { limits.elements + 1 }

    func charge(elements count: Int) throws(ChatTemplateError) {
        if count > limits.elements { throw limit("a list has more than \(limits.elements) elements") }
        try step(count: count / 16)
        try charge(bytes: count * 16)
    }

    /// - Parameter depth: of lists inside each other.
    func checkDepth(_ depth: Int) throws(ChatTemplateError) {
        if depth > TemplateParser.deepest { throw limit("lists are nested deeper than \(TemplateParser.deepest)") }
    }

    /// Lists inside each other are let go of recursively, so they must not be deep. Looks at all that is inside.
    func checkNesting(_ value: TemplateValue, depth: Int = 0) throws(ChatTemplateError) {
        try checkDepth(depth)
        var inner: [TemplateValue]
        switch value {
        case .list(let elements), .tuple(let elements): inner = elements
        case .dictionary(let members): inner = members.values + members.keys
        case .stream(let stream): inner = stream.elements
        case .loop(let state): inner = state.elements
        case .method(let owner, _, _): inner = [owner]
        default: return
        }
        try step(count: inner.count)
        for element in inner { try checkNesting(element, depth: depth + 1) }
    }

    func define(_ macro: MacroStatement) throws(ChatTemplateError) {
        try charge(bytes: 512)
        macroScopes.append(scope)
        scope.set(macro.name, .macro(TemplateMacro(statement: macro, scope: scope)))
    }

    func makeNamespace() throws(ChatTemplateError) -> TemplateNamespace {
        try charge(bytes: 512)
        let space = TemplateNamespace()
        namespaces.append(space)
        return space
    }

    /// Lets go of everything but the output.
    func finish() {
        for scope in macroScopes { scope.removeAll() }
        for space in namespaces { space.members = [:] }
    }

    func deeper<Result>(_ body: () throws(ChatTemplateError) -> Result) throws(ChatTemplateError) -> Result {
        depth += 1
        defer { depth -= 1 }
        if depth > limits.depth { throw limit("macros and expressions call each other more than \(limits.depth) deep") }
        return try body()
    }

    // MARK: Errors

    func fault(_ problem: String, _ code: ChatTemplateError.Code = .malformed, advice: String = ChatTemplate.cure) -> ChatTemplateError {
        ChatTemplateError(code, file: file, line: line, problem: problem, advice: advice)
    }

    private func limit(_ problem: String) -> ChatTemplateError { fault(problem, .limit) }

    // MARK: Output

    func write(_ text: MarkedText) throws(ChatTemplateError) {
        try charge(bytes: text.count)
        output.append(text)
        if output.count > limits.output { throw limit("the template writes more than \(limits.output >> 20) MiB") }
    }

    /// What is written while `body` runs.
    func captured(_ body: () throws(ChatTemplateError) -> Void) throws(ChatTemplateError) -> MarkedText {
        let outer = output
        output = MarkedText()
        defer { output = outer }
        try body()
        return output
    }

    /// Runs with new names around it, which are gone afterwards.
    func scoped<Result>(within outer: TemplateScope, _ body: () throws(ChatTemplateError) -> Result) throws(ChatTemplateError) -> Result {
        let previous = scope
        scope = TemplateScope(within: outer)
        defer { scope = previous }
        return try body()
    }

    // MARK: Sequences

    /// The elements to loop over.
    func elements(of value: TemplateValue) throws(ChatTemplateError) -> [TemplateValue] {
        switch value {
        case .undefined: return []
        case .list(let elements), .tuple(let elements): return elements
        case .dictionary(let members): return members.keys
        case .stream(let stream): return stream.takeAll()
        case .text(let text):
            try charge(elements: 4 * text.count)
            return text.characters.map { .text($0) }
        default: throw fault("\(value.kind) cannot be looped over")
        }
    }

    func list(_ elements: [TemplateValue]) throws(ChatTemplateError) -> TemplateValue {
        try charge(elements: elements.count)
        return .list(elements)
    }

    func text(_ text: MarkedText) throws(ChatTemplateError) -> TemplateValue {
        try charge(bytes: text.count)
        return .text(text)
    }
}

/// Far above what templates need, far below what hurts.
package struct TemplateLimits: Sendable {
    /// Expressions, statements and elements looked at.
    package var steps = 5_000_000
    /// Texts and lists made, all together.
    package var bytes = 256 << 20
    /// The text at the end.
    package var output = 32 << 20
    /// Of one list or range.
    package var elements = 100_000
    /// Expressions within macros within expressions.
    package var depth = 200

    package init() {}
}

extension MarkedText {
    var characters: [MarkedText] {
        var result: [MarkedText] = []
        var offset = 0
        while offset < count {
            let length = PythonText.scalar(bytes, at: offset).1
            result.append(slice(offset..<(offset + length)))
            offset += length
        }
        return result
    }
}
