import Glibc

extension TemplateEvaluator {
    // MARK: Arithmetic

    func negative(_ value: TemplateValue) throws(ChatTemplateError) -> TemplateValue {
        if let number = value.integer { return .integer(try checked(0.subtractingReportingOverflow(number))) }
        guard case .float(let number) = value else { throw fault("'-' cannot stand before \(value.kind)") }
        return .float(-number)
    }

    private func checked(_ result: (partialValue: Int, overflow: Bool)) throws(ChatTemplateError) -> Int {
        if result.overflow { throw fault("a number does not fit into 64 bits", .limit) }
        return result.partialValue
    }

    func arithmetic(_ operation: ArithmeticOperation, _ left: TemplateValue, _ right: TemplateValue) throws(ChatTemplateError) -> TemplateValue {
        if let first = left.integer, let second = right.integer { return try integers(operation, first, second) }
        if let first = left.number, let second = right.number { return try floats(operation, first, second) }
        switch (operation, left, right) {
        case (.add, .text(let first), .text(let second)): return try text(first + second)
        case (.add, .list(let first), .list(let second)): return try list(first + second)
        case (.add, .tuple(let first), .tuple(let second)):
            try charge(elements: first.count + second.count)
            return .tuple(first + second)
        case (.multiply, _, _):
            if let count = right.integer, let repeated = try repeated(left, count) { return repeated }
            if let count = left.integer, let repeated = try repeated(right, count) { return repeated }
        case (.remainder, .text, _): throw fault("formatting a string with '%' is not supported", .unsupported)
        default: break
        }
        for case .undefined(let what) in [left, right] { throw fault("\(what), so '\(operation.rawValue)' cannot be used with it") }
        throw fault("'\(operation.rawValue)' has no meaning between \(left.kind) and \(right.kind)")
    }

    private func repeated(_ value: TemplateValue, _ count: Int) throws(ChatTemplateError) -> TemplateValue? {
        let count = max(count, 0)
        func size(_ one: Int) throws(ChatTemplateError) -> Int { try checked(one.multipliedReportingOverflow(by: count)) }
        switch value {
        case .text(let one):
            try charge(bytes: try size(one.count))
            var result = MarkedText()
            // Doubling: the largest power of two below the count first.
            for bit in (0..<(Int.bitWidth - count.leadingZeroBitCount)).reversed() where !one.isEmpty {
                result.append(result)
                if count >> bit & 1 == 1 { result.append(one) }
            }
            return .text(result)
        case .list(let one):
            try charge(elements: try size(one.count))
            return .list(one.isEmpty ? [] : Array(repeatElement(one, count: count).joined()))
        case .tuple(let one):
            try charge(elements: try size(one.count))
            return .tuple(one.isEmpty ? [] : Array(repeatElement(one, count: count).joined()))
        default: return nil
        }
    }

    private func integers(_ operation: ArithmeticOperation, _ left: Int, _ right: Int) throws(ChatTemplateError) -> TemplateValue {
        switch operation {
        case .add: return .integer(try checked(left.addingReportingOverflow(right)))
        case .subtract: return .integer(try checked(left.subtractingReportingOverflow(right)))
        case .multiply: return .integer(try checked(left.multipliedReportingOverflow(by: right)))
        case .divide: return try floats(operation, Double(left), Double(right))
        case .floorDivide, .remainder:
            guard right != 0 else { throw fault("a division by 0") }
            let quotient = try checked(left.dividedReportingOverflow(by: right))
            let remainder = left - quotient * right
            // Python rounds down.
            let isRoundedUp = remainder != 0 && (remainder < 0) != (right < 0)
            return .integer(operation == .remainder ? remainder + (isRoundedUp ? right : 0) : quotient - (isRoundedUp ? 1 : 0))
        case .power:
            guard right >= 0 else { throw fault("a power below 0 is not supported", .unsupported) }
            var result = 1
            if left == 0 || left == 1 { return .integer(right == 0 ? 1 : left) }
            if left == -1 { return .integer(right % 2 == 0 ? 1 : -1) }
            for _ in 0..<min(right, 64) { result = try checked(result.multipliedReportingOverflow(by: left)) }
            return .integer(result)
        }
    }

    private func floats(_ operation: ArithmeticOperation, _ left: Double, _ right: Double) throws(ChatTemplateError) -> TemplateValue {
        if right == 0, [.divide, .floorDivide, .remainder].contains(operation) { throw fault("a division by 0") }
        switch operation {
        case .add: return .float(left + right)
        case .subtract: return .float(left - right)
        case .multiply: return .float(left * right)
        case .divide: return .float(left / right)
        case .floorDivide: return .float((left / right).rounded(.down))
        case .remainder:
            let remainder = left.truncatingRemainder(dividingBy: right)
            return .float(remainder != 0 && (remainder < 0) != (right < 0) ? remainder + right : remainder)
        case .power: throw fault("powers of numbers with a fraction are not supported", .unsupported)
        }
    }

    // MARK: Comparison

    func holds(_ relation: Relation, _ left: TemplateValue, _ right: TemplateValue) throws(ChatTemplateError) -> Bool {
        switch relation {
        case .equal: try areEqual(left, right)
        case .unequal: !(try areEqual(left, right))
        case .less: try isLess(left, right, relation)
        case .greater: try isLess(right, left, relation)
        case .lessOrEqual: try isLessOrEqual(left, right, relation)
        case .greaterOrEqual: try isLessOrEqual(right, left, relation)
        case .contained: try contains(right, left)
        case .notContained: !(try contains(right, left))
        }
    }

    func areEqual(_ left: TemplateValue, _ right: TemplateValue, depth: Int = 0) throws(ChatTemplateError) -> Bool {
        try step(count: 1)
        try checkDepth(depth)
        if let first = left.number, let second = right.number {
            if let first = left.integer, let second = right.integer { return first == second }
            return first == second
        }
        switch (left, right) {
        case (.undefined, .undefined), (.none, .none): return true
        case (.text(let first), .text(let second)):
            try step(count: min(first.count, second.count) / 256)
            return first == second
        case (.list(let first), .list(let second)), (.tuple(let first), .tuple(let second)):
            guard first.count == second.count else { return false }
            for (one, other) in zip(first, second) where !(try areEqual(one, other, depth: depth + 1)) { return false }
            return true
        case (.dictionary(let first), .dictionary(let second)):
            guard first.keys.count == second.keys.count else { return false }
            for (index, name) in first.keys.enumerated() {
                guard let other = second[try key(name)], try areEqual(first.values[index], other, depth: depth + 1) else { return false }
            }
            return true
        case (.namespace(let first), .namespace(let second)): return first === second
        case (.macro(let first), .macro(let second)): return first === second
        default: return false
        }
    }

    private func isLess(_ left: TemplateValue, _ right: TemplateValue, _ relation: Relation, depth: Int = 0) throws(ChatTemplateError) -> Bool {
        try step(count: 1)
        try checkDepth(depth)
        if let first = left.integer, let second = right.integer { return first < second }
        if let first = left.number, let second = right.number { return first < second }
        switch (left, right) {
        // The order of UTF-8's bytes is that of the characters.
        case (.text(let first), .text(let second)): return first.bytes.lexicographicallyPrecedes(second.bytes)
        case (.list(let first), .list(let second)), (.tuple(let first), .tuple(let second)):
            for (one, other) in zip(first, second) where !(try areEqual(one, other, depth: depth + 1)) {
                return try isLess(one, other, relation, depth: depth + 1)
            }
            return first.count < second.count
        default:
            for case .undefined(let what) in [left, right] { throw fault("\(what), so '\(relation.rawValue)' cannot be used with it") }
            throw fault("'\(relation.rawValue)' has no meaning between \(left.kind) and \(right.kind)")
        }
    }

    private func isLessOrEqual(_ left: TemplateValue, _ right: TemplateValue, _ relation: Relation) throws(ChatTemplateError) -> Bool {
        // Not the negation of the other order: nothing holds for a value that is not a number.
        if try isLess(left, right, relation) { return true }
        return try areEqual(left, right)
    }

    func contains(_ whole: TemplateValue, _ part: TemplateValue) throws(ChatTemplateError) -> Bool {
        switch whole {
        case .text(let text):
            guard case .text(let sought) = part else { throw fault("'in' looks for a string in a string, found \(part.kind)") }
            try step(count: text.count / 16)
            return text.firstRange(of: sought) != nil
        case .dictionary(let members): return part.isUndefined ? false : members[try key(part)] != nil
        case .none, .bool, .integer, .float, .namespace, .macro, .function, .method, .loop:
            throw fault("\(whole.kind) contains nothing, so 'in' cannot be used with it")
        default:
            for element in try elements(of: whole) where try areEqual(element, part) { return true }
            return false
        }
    }

    /// From small to large; equal ones keep their order.
    func sorted<Element>(_ elements: [Element], by key: (Element) throws(ChatTemplateError) -> TemplateValue) throws(ChatTemplateError) -> [Element] {
        var keyed: [(key: TemplateValue, element: Element)] = []
        for element in elements { keyed.append((try key(element), element)) }
        var failure: ChatTemplateError?
        let sorted = keyed.sorted { first, second in
            guard failure == nil else { return false }
            do throws(ChatTemplateError) { return try isLess(first.key, second.key, .less) } catch {
                failure = error
                return false
            }
        }
        if let failure { throw failure }
        return sorted.map(\.element)
    }
}
