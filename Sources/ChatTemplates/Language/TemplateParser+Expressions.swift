extension TemplateParser {
    static let constants: [String: TemplateExpression.Constant] = [
        "true": .bool(true), "True": .bool(true), "false": .bool(false), "False": .bool(false), "none": .none, "None": .none,
    ]

    /// One expression, or several with commas between them, which are a tuple. An `if` behind it is left where `withConditional` is false.
    mutating func tuple(until ends: [String], withConditional: Bool = true, isInBrackets: Bool = false) throws(ChatTemplateError) -> TemplateExpression {
        let line = line
        var elements: [TemplateExpression] = []
        var isTuple = false
        while !isTupleEnd(ends) {
            elements.append(try withConditional ? expression() : alternatives())
            guard takeSymbol(",") else { break }
            isTuple = true
        }
        if !isTuple, let only = elements.first { return only }
        guard isTuple || isInBrackets else { throw unexpected("an expression") }
        return TemplateExpression(kind: .tuple(elements), line: line)
    }

    private func isTupleEnd(_ ends: [String]) -> Bool {
        switch current.kind {
        case .expressionEnd, .statementEnd, .symbol(")"): true
        case .name(let name): ends.contains(name)
        default: false
        }
    }

    mutating func expression() throws(ChatTemplateError) -> TemplateExpression {
        try nested { parser throws(ChatTemplateError) in try parser.conditional() }
    }

    /// `value if condition else otherwise`
    private mutating func conditional() throws(ChatTemplateError) -> TemplateExpression {
        let line = line
        var value = try alternatives()
        var levels = 0
        while takeName("if") {
            levels += 1
            try checkDepth(levels)
            let condition = try alternatives()
            let otherwise = takeName("else") ? try expression() : nil
            value = TemplateExpression(kind: .conditional(value: value, condition: condition, otherwise: otherwise), line: line)
        }
        return value
    }

    private mutating func alternatives() throws(ChatTemplateError) -> TemplateExpression {
        let line = line
        var operands = [try conjunction()]
        while takeName("or") { operands.append(try conjunction()) }
        return operands.count == 1 ? operands[0] : TemplateExpression(kind: .any(operands), line: line)
    }

    private mutating func conjunction() throws(ChatTemplateError) -> TemplateExpression {
        let line = line
        var operands = [try negation()]
        while takeName("and") { operands.append(try negation()) }
        return operands.count == 1 ? operands[0] : TemplateExpression(kind: .all(operands), line: line)
    }

    private mutating func negation() throws(ChatTemplateError) -> TemplateExpression {
        let line = line
        guard takeName("not") else { return try comparison() }
        return TemplateExpression(kind: .not(try nested { parser throws(ChatTemplateError) in try parser.negation() }), line: line)
    }

    private mutating func comparison() throws(ChatTemplateError) -> TemplateExpression {
        let line = line
        let first = try arithmetic(0)
        var rest: [(relation: Relation, operand: TemplateExpression)] = []
        while let relation = takeRelation() { rest.append((relation, try arithmetic(0))) }
        return rest.isEmpty ? first : TemplateExpression(kind: .comparison(first, rest), line: line)
    }

    private mutating func takeRelation() -> Relation? {
        switch current.kind {
        case .symbol(let symbol):
            guard let relation = Relation(rawValue: symbol) else { return nil }
            _ = next()
            return relation
        case .name("in"):
            _ = next()
            return .contained
        case .name("not") where following.kind == .name("in"):
            _ = next()
            _ = next()
            return .notContained
        default: return nil
        }
    }

    /// From weak to strong. Level 1 is `~`, which joins texts and binds stronger than + and -.
    private static let levels: [Set<ArithmeticOperation>] = [[.add, .subtract], [], [.multiply, .divide, .floorDivide, .remainder], [.power]]
    private static let joiningLevel = 1

    private mutating func arithmetic(_ level: Int) throws(ChatTemplateError) -> TemplateExpression {
        if level == Self.levels.count { return try unary(withFilters: true) }
        let line = line
        let first = try arithmetic(level + 1)
        if level == Self.joiningLevel {
            var parts = [first]
            while takeSymbol("~") { parts.append(try arithmetic(level + 1)) }
            return parts.count == 1 ? first : TemplateExpression(kind: .joined(parts), line: line)
        }
        var rest: [(operation: ArithmeticOperation, operand: TemplateExpression)] = []
        while case .symbol(let symbol) = current.kind, let operation = ArithmeticOperation(rawValue: symbol), Self.levels[level].contains(operation) {
            _ = next()
            rest.append((operation, try arithmetic(level + 1)))
        }
        return rest.isEmpty ? first : TemplateExpression(kind: .arithmetic(first, rest), line: line)
    }

    private mutating func unary(withFilters: Bool) throws(ChatTemplateError) -> TemplateExpression {
        let line = line
        var value: TemplateExpression
        if isSymbol("-") || isSymbol("+") {
            let isNegative = isSymbol("-")
            _ = next()
            let operand = try nested { parser throws(ChatTemplateError) in try parser.unary(withFilters: false) }
            value = TemplateExpression(kind: isNegative ? .negated(operand) : .positive(operand), line: line)
        } else {
            value = try primary()
        }
        var chain = try postfixes()
        if withFilters { chain += try filtersAndTests() }
        if !chain.isEmpty { value = TemplateExpression(kind: .postfix(value, chain), line: line) }
        return value
    }

    private mutating func primary() throws(ChatTemplateError) -> TemplateExpression {
        let token = current
        switch token.kind {
        case .name(let name):
            _ = next()
            return TemplateExpression(kind: Self.constants[name].map { .constant($0) } ?? .name(name), line: token.line)
        case .text:
            var bytes: [UInt8] = []
            while case .text(let part) = current.kind {
                bytes += part
                _ = next()
            }
            return TemplateExpression(kind: .constant(.text(MarkedText(validated: bytes, isTrusted: true))), line: token.line)
        case .integer(let value):
            _ = next()
            return TemplateExpression(kind: .constant(.integer(value)), line: token.line)
        case .float(let value):
            _ = next()
            return TemplateExpression(kind: .constant(.float(value)), line: token.line)
        case .symbol("("):
            _ = next()
            let value = try nested { parser throws(ChatTemplateError) in try parser.tuple(until: [], isInBrackets: true) }
            try expectSymbol(")")
            return value
        case .symbol("["): return try list()
        case .symbol("{"): return try dictionary()
        default: throw unexpected("an expression")
        }
    }

    private mutating func list() throws(ChatTemplateError) -> TemplateExpression {
        let line = next().line
        var elements: [TemplateExpression] = []
        while !isSymbol("]") {
            elements.append(try expression())
            guard takeSymbol(",") else { break }
        }
        try expectSymbol("]")
        return TemplateExpression(kind: .list(elements), line: line)
    }

    private mutating func dictionary() throws(ChatTemplateError) -> TemplateExpression {
        let line = next().line
        var members: [(key: TemplateExpression, value: TemplateExpression)] = []
        while !isSymbol("}") {
            let key = try expression()
            try expectSymbol(":")
            members.append((key, try expression()))
            guard takeSymbol(",") else { break }
        }
        try expectSymbol("}")
        return TemplateExpression(kind: .dictionary(members), line: line)
    }

    // MARK: What follows a value

    private mutating func postfixes() throws(ChatTemplateError) -> [TemplatePostfix] {
        var chain: [TemplatePostfix] = []
        while true {
            let line = line
            if takeSymbol(".") {
                let token = next()
                switch token.kind {
                case .name(let name): chain.append(TemplatePostfix(kind: .attribute(name), line: line))
                case .integer(let value):
                    let index = TemplateExpression(kind: .constant(.integer(value)), line: line)
                    chain.append(TemplatePostfix(kind: .item(index), line: line))
                default: throw malformed("expected a name or an index after '.', found \(token.summary)")
                }
            } else if takeSymbol("[") {
                chain.append(TemplatePostfix(kind: try subscripted(), line: line))
            } else if isSymbol("(") {
                chain.append(TemplatePostfix(kind: .call(try arguments()), line: line))
            } else {
                return chain
            }
        }
    }

    private mutating func filtersAndTests() throws(ChatTemplateError) -> [TemplatePostfix] {
        var chain: [TemplatePostfix] = []
        while true {
            let line = line
            if takeSymbol("|") {
                chain.append(try filter())
            } else if takeName("is") {
                chain.append(try test(line))
            } else if isSymbol("(") {
                chain.append(TemplatePostfix(kind: .call(try arguments()), line: line))
            } else {
                return chain
            }
        }
    }

    /// The name of a filter and its arguments.
    mutating func filter() throws(ChatTemplateError) -> TemplatePostfix {
        let line = line
        let name = try expectName()
        return TemplatePostfix(kind: .filter(name, isSymbol("(") ? try arguments() : CallArguments()), line: line)
    }

    private mutating func test(_ line: Int) throws(ChatTemplateError) -> TemplatePostfix {
        let isNegated = takeName("not")
        let name = try expectName()
        var arguments = CallArguments()
        switch current.kind {
        case .symbol("("): arguments = try self.arguments()
        case .name("else"), .name("or"), .name("and"): break
        case .name("is"): throw malformed("one test cannot follow another one; write 'and' between them")
        case .name, .text, .integer, .float, .symbol("["), .symbol("{"):
            let line = self.line
            let base = try nested { parser throws(ChatTemplateError) in try parser.primary() }
            let chain = try postfixes()
            arguments.positional = [chain.isEmpty ? base : TemplateExpression(kind: .postfix(base, chain), line: line)]
        default: break
        }
        return TemplatePostfix(kind: .test(name, arguments, isNegated: isNegated), line: line)
    }

    /// From behind '[' to behind ']'.
    private mutating func subscripted() throws(ChatTemplateError) -> TemplatePostfix.Kind {
        var bounds: [TemplateExpression?] = [nil]
        while !isSymbol("]") {
            if takeSymbol(":") {
                guard bounds.count < 3 else { throw malformed("a slice has more than two ':'") }
                bounds.append(nil)
            } else {
                guard bounds[bounds.count - 1] == nil else { throw unexpected("']'") }
                bounds[bounds.count - 1] = try expression()
            }
        }
        try expectSymbol("]")
        if bounds.count > 1 { return .slice(bounds[0], bounds[1], bounds.count == 3 ? bounds[2] : nil) }
        guard let index = bounds[0] else { throw malformed("'[]' needs an index") }
        return .item(index)
    }

    private mutating func arguments() throws(ChatTemplateError) -> CallArguments {
        try expectSymbol("(")
        var arguments = CallArguments()
        while !isSymbol(")") {
            if isSymbol("*") || isSymbol("**") { throw malformed("arguments from a list or dictionary ('*', '**') are not supported") }
            if case .name(let name) = current.kind, following.kind == .symbol("=") {
                _ = next()
                _ = next()
                guard !arguments.named.contains(where: { $0.name == name }) else { throw malformed("the argument '\(name)' is given twice") }
                arguments.named.append((name, try expression()))
            } else {
                guard arguments.named.isEmpty else { throw malformed("an argument without a name follows one with a name") }
                arguments.positional.append(try expression())
            }
            guard takeSymbol(",") else { break }
        }
        try expectSymbol(")")
        return arguments
    }
}
