extension TemplateEvaluator {
    func evaluate(_ expression: TemplateExpression) throws(ChatTemplateError) -> TemplateValue {
        try step(count: 1)
        return try deeper { () throws(ChatTemplateError) in try evaluateKind(expression) }
    }

    private func evaluateKind(_ expression: TemplateExpression) throws(ChatTemplateError) -> TemplateValue {
        switch expression.kind {
        case .constant(let constant): return Self.value(of: constant)
        case .name(let name): return scope.value(of: name) ?? .undefined("'\(name)' is not defined")
        case .list(let elements): return try nested(.list(try evaluateAll(elements)))
        case .tuple(let elements): return try nested(.tuple(try evaluateAll(elements)))
        case .dictionary(let members): return try dictionary(members)
        case .postfix(let base, let chain):
            var value = try evaluate(base)
            for link in chain { value = try apply(link, to: value) }
            return value
        case .negated(let operand): return try negative(try evaluate(operand))
        case .positive(let operand):
            let value = try evaluate(operand)
            guard value.number != nil else { throw fault("'+' cannot stand before \(value.kind)") }
            return value.integer.map { .integer($0) } ?? value
        case .not(let operand): return .bool(!(try evaluate(operand).isTrue))
        case .arithmetic(let first, let rest):
            var value = try evaluate(first)
            for (operation, operand) in rest {
                let right = try evaluate(operand)
                line = expression.line
                value = try arithmetic(operation, value, right)
            }
            return value
        case .joined(let parts):
            var joined = MarkedText()
            for part in parts { joined.append(try evaluate(part).shown(self)) }
            return try text(joined)
        case .comparison(let first, let rest): return try compare(first, rest, line: expression.line)
        case .all(let operands): return try firstOperand(operands) { !$0.isTrue }
        case .any(let operands): return try firstOperand(operands) { $0.isTrue }
        case .conditional(let value, let condition, let otherwise):
            if try evaluate(condition).isTrue { return try evaluate(value) }
            guard let otherwise else { return .undefined("the 'if' expression in line \(expression.line) was false and has no 'else'") }
            return try evaluate(otherwise)
        }
    }

    private static func value(of constant: TemplateExpression.Constant) -> TemplateValue {
        switch constant {
        case .none: .none
        case .bool(let value): .bool(value)
        case .integer(let value): .integer(value)
        case .float(let value): .float(value)
        case .text(let text): .text(text)
        }
    }

    private func evaluateAll(_ expressions: [TemplateExpression]) throws(ChatTemplateError) -> [TemplateValue] {
        var values: [TemplateValue] = []
        for expression in expressions { values.append(try evaluate(expression)) }
        return values
    }

    private func dictionary(_ members: [(key: TemplateExpression, value: TemplateExpression)]) throws(ChatTemplateError) -> TemplateValue {
        try charge(elements: 8 * members.count)
        var result = TemplateDictionary()
        for (key, value) in members {
            let evaluated = try evaluate(key)
            result.set(evaluated, try self.key(evaluated), try evaluate(value))
        }
        return try nested(.dictionary(result))
    }

    /// A new value that holds others.
    func nested(_ value: TemplateValue) throws(ChatTemplateError) -> TemplateValue {
        try charge(bytes: 64)
        try checkNesting(value)
        return value
    }

    func key(_ value: TemplateValue) throws(ChatTemplateError) -> TemplateKey {
        if case .tuple = value { try checkNesting(value) }
        guard let key = TemplateKey(value) else { throw fault("\(value.kind) cannot be a key of a dictionary") }
        return key
    }

    /// The first operand that decides; else the last.
    private func firstOperand(_ operands: [TemplateExpression], _ decides: (TemplateValue) -> Bool) throws(ChatTemplateError) -> TemplateValue {
        for operand in operands.dropLast() {
            let value = try evaluate(operand)
            if decides(value) { return value }
        }
        return try evaluate(operands[operands.count - 1])
    }

    private func compare(
        _ first: TemplateExpression, _ rest: [(relation: Relation, operand: TemplateExpression)], line: Int
    ) throws(ChatTemplateError) -> TemplateValue {
        var left = try evaluate(first)
        for (relation, operand) in rest {
            let right = try evaluate(operand)
            self.line = line
            guard try holds(relation, left, right) else { return .bool(false) }
            left = right
        }
        return .bool(true)
    }

    // MARK: What follows a value

    func apply(_ link: TemplatePostfix, to value: TemplateValue) throws(ChatTemplateError) -> TemplateValue {
        line = link.line
        switch link.kind {
        case .attribute(let name): return try attribute(name, of: value)
        case .item(let index): return try item(try evaluate(index), of: value)
        case .slice(let start, let end, let stride): return try slice(value, try bound(start), try bound(end), try bound(stride))
        case .call(let arguments):
            let evaluated = try evaluate(arguments)
            line = link.line
            return try call(value, evaluated)
        case .filter(let name, let arguments):
            guard let filter = TemplateFilters.table[name] else { throw fault("the filter '\(name)' is not supported", .unsupported) }
            let evaluated = try evaluate(arguments)
            line = link.line
            try step(count: 1)
            return try filter(self, value, evaluated)
        case .test(let name, let arguments, let isNegated):
            guard let test = TemplateTests.table[name] else { throw fault("the test '\(name)' is not supported", .unsupported) }
            let evaluated = try evaluate(arguments)
            line = link.line
            return .bool(try test(self, value, evaluated).isTrue != isNegated)
        }
    }

    private func evaluate(_ arguments: CallArguments) throws(ChatTemplateError) -> TemplateArguments {
        var result = TemplateArguments(positional: try evaluateAll(arguments.positional))
        for (name, value) in arguments.named { result.named.append((name, try evaluate(value))) }
        return result
    }

    func call(_ value: TemplateValue, _ arguments: TemplateArguments) throws(ChatTemplateError) -> TemplateValue {
        switch value {
        case .function(_, let function): return try function(self, arguments)
        case .method(let owner, _, let method): return try method(self, owner, arguments)
        case .macro(let macro): return try deeper { () throws(ChatTemplateError) in try call(macro, arguments) }
        case .undefined(let what): throw fault("\(what), so it cannot be called")
        default: throw fault("\(value.kind) cannot be called")
        }
    }

    private func call(_ macro: TemplateMacro, _ arguments: TemplateArguments) throws(ChatTemplateError) -> TemplateValue {
        let (name, parameters) = (macro.statement.name, macro.statement.parameters)
        guard arguments.positional.count <= parameters.count else {
            throw fault("the macro '\(name)' has \(parameters.count) parameters, found \(arguments.positional.count) arguments")
        }
        for argument in arguments.named {
            guard let position = parameters.firstIndex(where: { $0.name == argument.name }), position >= arguments.positional.count else {
                throw fault("the macro '\(name)' has no parameter '\(argument.name)', or it is given twice")
            }
        }
        let callLine = line
        let text = try captured { () throws(ChatTemplateError) in
            try scoped(within: macro.scope) { () throws(ChatTemplateError) in
                for (position, parameter) in parameters.enumerated() {
                    let value: TemplateValue
                    if position < arguments.positional.count {
                        value = arguments.positional[position]
                    } else if let named = arguments.named.first(where: { $0.name == parameter.name }) {
                        value = named.value
                    } else if let standard = parameter.standard {
                        value = try evaluate(standard)
                    } else {
                        value = .undefined("the parameter '\(parameter.name)' was not given")
                    }
                    scope.set(parameter.name, value)
                }
                _ = try run(macro.statement.body)
            }
        }
        line = callLine
        return .text(text)
    }

    // MARK: Members

    /// `value.name`: a method, else a member.
    func attribute(_ name: String, of value: TemplateValue) throws(ChatTemplateError) -> TemplateValue {
        if let method = try method(name, of: value) { return method }
        switch value {
        case .undefined(let what): throw fault("\(what), so it has no member '\(name)'")
        case .dictionary(let members): return members[name] ?? .undefined("the dictionary has no member '\(name)'")
        case .namespace(let space): return space.members[name] ?? .undefined("the namespace has no member '\(name)'")
        case .loop(let state): return LoopState.members[name]?(state) ?? .undefined("the loop has no member '\(name)'")
        default: return .undefined("\(value.kind) has no member '\(name)'")
        }
    }

    /// Python's names with two underscores, and methods that change their owner, are closed to templates.
    private func method(_ name: String, of value: TemplateValue) throws(ChatTemplateError) -> TemplateValue? {
        if value.isUndefined { return nil }
        if name.hasPrefix("__") { return .undefined("the member '\(name)' is closed to templates") }
        guard let table = TemplateMethods.tables[TemplateMethods.Owner(value)], let method = table[name] else { return nil }
        return .method(of: value, name, method)
    }

    /// `value[index]`: a member, else a method.
    func item(_ index: TemplateValue, of value: TemplateValue) throws(ChatTemplateError) -> TemplateValue {
        switch value {
        case .undefined(let what): throw fault("\(what), so it has no members")
        case .list(let elements), .tuple(let elements):
            if let position = index.integer.flatMap({ Self.position($0, count: elements.count) }) { return elements[position] }
        case .text(let text):
            if let number = index.integer {
                try step(count: text.count / 64)
                let characters = text.scalarOffsets
                if let position = Self.position(number, count: characters.count - 1) {
                    return .text(text.slice(characters[position]..<characters[position + 1]))
                }
            }
        case .dictionary(let members):
            if case .tuple = index { try checkNesting(index) }
            if let key = TemplateKey(index), let member = members[key] { return member }
        default: break
        }
        guard case .text(let name) = index else { return .undefined("\(value.kind) has no such element") }
        if case .dictionary = value { return try method(name.string, of: value) ?? .undefined("the dictionary has no member \(name.quoted)") }
        return try attribute(name.string, of: value)
    }

    private static func position(_ index: Int, count: Int) -> Int? {
        let position = index < 0 ? index &+ count : index
        return (0..<count).contains(position) ? position : nil
    }

    private func bound(_ expression: TemplateExpression?) throws(ChatTemplateError) -> Int? {
        guard let expression else { return nil }
        let value = try evaluate(expression)
        if case .none = value { return nil }
        guard let number = value.integer else { throw fault("\(value.kind) is no bound of a slice") }
        return number
    }

    /// Python's slice: bounds from the end where negative, cut to what is there.
    private func slice(_ value: TemplateValue, _ start: Int?, _ end: Int?, _ stride: Int?) throws(ChatTemplateError) -> TemplateValue {
        let stride = stride ?? 1
        guard stride != 0 else { throw fault("the step of a slice is 0") }
        let step = min(max(stride, -(1 << 32)), 1 << 32)
        func indices(_ count: Int) -> StrideTo<Int> {
            func clipped(_ bound: Int, _ low: Int, _ high: Int) -> Int { min(max(bound < 0 ? bound &+ count : bound, low), high) }
            let (low, high) = stride > 0 ? (0, count) : (-1, count - 1)
            let first = start.map { clipped($0, low, high) } ?? (stride > 0 ? low : high)
            let last = end.map { clipped($0, low, high) } ?? (stride > 0 ? high : low)
            return Swift.stride(from: first, to: last, by: step)
        }
        switch value {
        case .list(let elements): return try list(indices(elements.count).map { elements[$0] })
        case .tuple(let elements): return .tuple(indices(elements.count).map { elements[$0] })
        case .text(let text):
            try charge(bytes: 8 * text.count)
            let offsets = text.scalarOffsets
            if stride == 1 {
                let range = indices(offsets.count - 1)
                guard let first = range.first(where: { _ in true }) else { return .text(MarkedText()) }
                return .text(text.slice(offsets[first]..<offsets[first + range.underestimatedCount]))
            }
            var result = MarkedText()
            for index in indices(offsets.count - 1) { result.append(text.slice(offsets[index]..<offsets[index + 1])) }
            return .text(result)
        case .undefined(let what): throw fault("\(what), so it has no members")
        default: return .undefined("\(value.kind) cannot be cut")
        }
    }
}

extension MarkedText {
    /// Where each character begins, and the end.
    var scalarOffsets: [Int] { bytes.indices.filter { bytes[$0] & 0xC0 != 0x80 } + [count] }
}
