/// Makes a tree of a template's words.
struct TemplateParser {
    /// Blocks and brackets inside each other; bounds the recursion here and in rendering.
    static let deepest = 60

    private let tokens: [TemplateToken]
    let file: String
    private var position = 0
    private var depth = 0
    private var loops = 0

    static func statements(of source: [UInt8], file: String) throws(ChatTemplateError) -> [TemplateStatement] {
        var parser = TemplateParser(tokens: try TemplateLexer.tokens(of: source, file: file), file: file)
        return try parser.body(until: []).statements
    }

    private init(tokens: [TemplateToken], file: String) {
        self.tokens = tokens
        self.file = file
    }

    // MARK: Words

    var current: TemplateToken { tokens[position] }
    var following: TemplateToken { tokens[min(position + 1, tokens.count - 1)] }
    var line: Int { current.line }

    mutating func next() -> TemplateToken {
        defer { position = min(position + 1, tokens.count - 1) }
        return current
    }

    func isSymbol(_ symbol: String) -> Bool { current.kind == .symbol(symbol) }
    func isName(_ name: String) -> Bool { current.kind == .name(name) }

    mutating func takeSymbol(_ symbol: String) -> Bool { take(.symbol(symbol)) }
    mutating func takeName(_ name: String) -> Bool { take(.name(name)) }

    private mutating func take(_ kind: TemplateToken.Kind) -> Bool {
        guard current.kind == kind else { return false }
        _ = next()
        return true
    }

    mutating func expectSymbol(_ symbol: String) throws(ChatTemplateError) {
        guard takeSymbol(symbol) else { throw unexpected("'\(symbol)'") }
    }

    mutating func expectName() throws(ChatTemplateError) -> String {
        guard case .name(let name) = current.kind else { throw unexpected("a name") }
        _ = next()
        return name
    }

    func unexpected(_ expected: String) -> ChatTemplateError { malformed("expected \(expected), found \(current.summary)") }

    func malformed(_ problem: String) -> ChatTemplateError { fault(.malformed, problem) }

    private func fault(_ code: ChatTemplateError.Code, _ problem: String) -> ChatTemplateError {
        ChatTemplateError(code, file: file, line: line, problem: problem, advice: ChatTemplate.cure)
    }

    /// One level deeper, while `body` runs.
    mutating func nested<Result>(
        _ body: (inout TemplateParser) throws(ChatTemplateError) -> Result
    ) throws(ChatTemplateError) -> Result {
        depth += 1
        defer { depth -= 1 }
        try checkDepth(0)
        return try body(&self)
    }

    func checkDepth(_ more: Int) throws(ChatTemplateError) {
        if depth + more > Self.deepest { throw fault(.limit, "blocks and brackets are nested deeper than \(Self.deepest)") }
    }

    // MARK: Statements

    /// Statements up to a tag that begins with one of the words, which is taken; up to the end of the template where there are none.
    private mutating func body(until ends: [String]) throws(ChatTemplateError) -> (statements: [TemplateStatement], end: String) {
        try nested { parser throws(ChatTemplateError) in try parser.bodyStatements(until: ends) }
    }

    private mutating func bodyStatements(until ends: [String]) throws(ChatTemplateError) -> (statements: [TemplateStatement], end: String) {
        var statements: [TemplateStatement] = []
        while true {
            let token = next()
            switch token.kind {
            case .data(let bytes):
                statements.append(TemplateStatement(kind: .data(MarkedText(validated: bytes, isTrusted: true)), line: token.line))
            case .expressionBegin:
                let expression = try tuple(until: [])
                guard take(.expressionEnd) else { throw unexpected("'}}'") }
                statements.append(TemplateStatement(kind: .output(expression), line: token.line))
            case .statementBegin:
                let name = try expectName()
                if ends.contains(name) { return (statements, name) }
                guard let read = Self.readers[name] else { throw unknownStatement(name, ends) }
                statements.append(TemplateStatement(kind: try read(&self), line: token.line))
            case .end where ends.isEmpty: return (statements, "")
            default:
                throw malformed("the template ends within a block, expected \(ends.map { "'{% \($0) %}'" }.joined(separator: " or "))")
            }
        }
    }

    private func unknownStatement(_ name: String, _ ends: [String]) -> ChatTemplateError {
        if Self.unsupported.contains(name) { return fault(.unsupported, "the statement '\(name)' is not supported") }
        let expected = ends.isEmpty ? "" : ", expected \(ends.map { "'{% \($0) %}'" }.joined(separator: " or "))"
        return malformed("'{% \(name) %}' has no meaning here\(expected)")
    }

    private mutating func endStatement() throws(ChatTemplateError) {
        guard take(.statementEnd) else { throw unexpected("'%}'") }
    }

    /// The rest of a tag that opens a block, then its body.
    private mutating func block(until ends: String...) throws(ChatTemplateError) -> (statements: [TemplateStatement], end: String) {
        _ = takeSymbol(":")
        try endStatement()
        return try body(until: ends)
    }

    private typealias Reader = @Sendable (inout TemplateParser) throws(ChatTemplateError) -> TemplateStatement.Kind

    private static let unsupported: Set<String> = ["call", "include", "import", "from", "extends", "block", "autoescape", "print", "trans", "do", "debug"]

    /// By the word that a tag begins with; from behind that word to behind the end of the statement.
    private static let readers: [String: Reader] = [
        "if": { parser throws(ChatTemplateError) in try parser.branches() },
        "for": { parser throws(ChatTemplateError) in try parser.loop() },
        "set": { parser throws(ChatTemplateError) in try parser.assignment() },
        "macro": { parser throws(ChatTemplateError) in try parser.macro() },
        "with": { parser throws(ChatTemplateError) in try parser.with() },
        "filter": { parser throws(ChatTemplateError) in
            let filters = try parser.filterChain()
            let body = try parser.block(until: "endfilter").statements
            try parser.endStatement()
            return .filtered(filters, body)
        },
        // Marks the assistant's own words for training.
        "generation": { parser throws(ChatTemplateError) in
            let body = try parser.block(until: "endgeneration").statements
            try parser.endStatement()
            return .body(body)
        },
        "break": { parser throws(ChatTemplateError) in try parser.loopControl(.leaveLoop, "break") },
        "continue": { parser throws(ChatTemplateError) in try parser.loopControl(.nextIteration, "continue") },
    ]

    private mutating func loopControl(_ kind: TemplateStatement.Kind, _ word: String) throws(ChatTemplateError) -> TemplateStatement.Kind {
        guard loops > 0 else { throw malformed("'\(word)' stands outside of a loop") }
        try endStatement()
        return kind
    }

    private mutating func branches() throws(ChatTemplateError) -> TemplateStatement.Kind {
        var branches: [(condition: TemplateExpression, body: [TemplateStatement])] = []
        while true {
            let condition = try tuple(until: [], withConditional: false)
            let (statements, end) = try block(until: "elif", "else", "endif")
            branches.append((condition, statements))
            if end == "elif" { continue }
            let otherwise = end == "else" ? try block(until: "endif").statements : []
            try endStatement()
            return .branches(branches, otherwise: otherwise)
        }
    }

    private mutating func loop() throws(ChatTemplateError) -> TemplateStatement.Kind {
        let target = try target(until: ["in"])
        guard takeName("in") else { throw unexpected("'in'") }
        let sequence = try tuple(until: ["recursive"], withConditional: false)
        let condition = takeName("if") ? try expression() : nil
        if isName("recursive") { throw fault(.unsupported, "recursive loops are not supported") }
        loops += 1
        let (body, end) = try block(until: "else", "endfor")
        loops -= 1
        let otherwise = end == "else" ? try block(until: "endfor").statements : []
        try endStatement()
        return .loop(LoopStatement(target: target, sequence: sequence, condition: condition, body: body, otherwise: otherwise))
    }

    private mutating func assignment() throws(ChatTemplateError) -> TemplateStatement.Kind {
        let target = try target(until: [])
        if takeSymbol("=") {
            let value = try tuple(until: [])
            try endStatement()
            return .set(target, value)
        }
        let filters = isSymbol("|") ? try filterChain(takesBar: true) : []
        let body = try block(until: "endset").statements
        try endStatement()
        return .setBlock(target, filters, body)
    }

    /// `name | other(...)`; with `takesBar` a bar stands before the first, too.
    private mutating func filterChain(takesBar: Bool = false) throws(ChatTemplateError) -> [TemplatePostfix] {
        var filters: [TemplatePostfix] = []
        if takesBar { try expectSymbol("|") }
        repeat { filters.append(try filter()) } while takeSymbol("|")
        return filters
    }

    private mutating func macro() throws(ChatTemplateError) -> TemplateStatement.Kind {
        let name = try expectName()
        try expectSymbol("(")
        var parameters: [(name: String, standard: TemplateExpression?)] = []
        while !isSymbol(")") {
            if !parameters.isEmpty { try expectSymbol(",") }
            let parameter = try expectName()
            let standard = takeSymbol("=") ? try expression() : nil
            if standard == nil && parameters.last?.standard != nil {
                throw malformed("the parameter '\(parameter)' has no standard value but follows one that has")
            }
            parameters.append((parameter, standard))
        }
        try expectSymbol(")")
        let outer = loops
        loops = 0
        let body = try block(until: "endmacro").statements
        loops = outer
        try endStatement()
        return .macro(MacroStatement(name: name, parameters: parameters, body: body))
    }

    private mutating func with() throws(ChatTemplateError) -> TemplateStatement.Kind {
        var values: [(target: AssignmentTarget, value: TemplateExpression)] = []
        while current.kind != .statementEnd {
            if !values.isEmpty { try expectSymbol(",") }
            let target = try target(until: [], isTuple: false)
            try expectSymbol("=")
            values.append((target, try expression()))
        }
        let body = try block(until: "endwith").statements
        try endStatement()
        return .with(values, body)
    }

    // MARK: Targets

    /// Names, members of namespaces, and tuples of them.
    private mutating func target(until ends: [String], isTuple: Bool = true) throws(ChatTemplateError) -> AssignmentTarget {
        var targets: [AssignmentTarget] = []
        while true {
            targets.append(try nested { parser throws(ChatTemplateError) in try parser.singleTarget() })
            guard isTuple, takeSymbol(",") else { return targets.count == 1 ? targets[0] : .tuple(targets) }
            if current.kind == .statementEnd || isSymbol("=") || isSymbol(")") || ends.contains(where: { isName($0) }) { return .tuple(targets) }
        }
    }

    private mutating func singleTarget() throws(ChatTemplateError) -> AssignmentTarget {
        if takeSymbol("(") {
            let target = try target(until: [])
            try expectSymbol(")")
            return target
        }
        let name = try expectName()
        if Self.constants[name] != nil { throw malformed("nothing can be assigned to '\(name)'") }
        guard takeSymbol(".") else { return .name(name) }
        return .member(of: name, try expectName())
    }
}
