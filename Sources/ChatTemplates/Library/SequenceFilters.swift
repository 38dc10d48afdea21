import StrictJSON

/// Filters of lists and dictionaries.
enum SequenceFilters {
    static let table: [String: TemplateMethod] = [
        "length": length, "count": length,
        "list": { evaluator, value, _ throws(ChatTemplateError) in try evaluator.list(try evaluator.elements(of: value)) },
        "first": { evaluator, value, _ throws(ChatTemplateError) in
            if case .stream(let stream) = value { return stream.takeFirst() ?? .undefined("the sequence is empty") }
            return try evaluator.elements(of: value).first ?? .undefined("the sequence is empty")
        },
        "last": { evaluator, value, _ throws(ChatTemplateError) in
            if case .stream = value { throw evaluator.fault("'last' needs a list, found \(value.kind); write '| list' before it") }
            return try evaluator.elements(of: value).last ?? .undefined("the sequence is empty")
        },
        "reverse": { evaluator, value, _ throws(ChatTemplateError) in
            let elements = try evaluator.elements(of: value)
            if case .text = value { return .text(MarkedText.joined(elements.reversed().compactMap(\.text), by: MarkedText())) }
            return .stream(TemplateStream(elements.reversed()))
        },
        "join": { evaluator, value, arguments throws(ChatTemplateError) in
            let bound = try evaluator.bind(arguments, to: ["d", "attribute"], of: "join")
            var parts: [MarkedText] = []
            var size = 0
            for element in try evaluator.elements(of: value) {
                parts.append(try member(bound[1], of: element, evaluator).shown(evaluator))
                size += parts[parts.count - 1].count
            }
            let separator = try bound[0]?.shown(evaluator) ?? MarkedText()
            let (added, overflows) = parts.count.multipliedReportingOverflow(by: separator.count)
            try evaluator.charge(bytes: overflows ? Int.max / 2 : size + added)
            return .text(MarkedText.joined(parts, by: separator))
        },
        "items": { evaluator, value, _ throws(ChatTemplateError) in
            switch value {
            case .undefined: return .stream(TemplateStream([]))
            case .dictionary(let members):
                try evaluator.charge(elements: members.keys.count)
                return try evaluator.nested(.stream(TemplateStream(members.items)))
            default: throw evaluator.fault("'items' needs a dictionary, found \(value.kind)")
            }
        },
        "dictsort": { evaluator, value, arguments throws(ChatTemplateError) in
            let bound = try evaluator.bind(arguments, to: ["case_sensitive", "by", "reverse"], of: "dictsort")
            guard case .dictionary(let members) = value else { throw evaluator.fault("'dictsort' needs a dictionary, found \(value.kind)") }
            let position = bound[1]?.text?.string == "value" ? 1 : 0
            let isExact = bound[0]?.isTrue ?? false
            try evaluator.checkNesting(.list(members.items))
            return try sorted(members.items, reverse: bound[2], evaluator) { item throws(ChatTemplateError) in
                guard case .tuple(let pair) = item else { return item }
                return folded(pair[position], isExact)
            }
        },
        "sort": { evaluator, value, arguments throws(ChatTemplateError) in
            let bound = try evaluator.bind(arguments, to: ["reverse", "case_sensitive", "attribute"], of: "sort")
            let isExact = bound[1]?.isTrue ?? false
            return try sorted(try evaluator.elements(of: value), reverse: bound[0], evaluator) { element throws(ChatTemplateError) in
                folded(try member(bound[2], of: element, evaluator), isExact)
            }
        },
        "unique": { evaluator, value, arguments throws(ChatTemplateError) in
            let bound = try evaluator.bind(arguments, to: ["case_sensitive", "attribute"], of: "unique")
            var seen: Set<TemplateKey> = []
            var kept: [TemplateValue] = []
            for element in try evaluator.elements(of: value) {
                let key = try evaluator.key(folded(try member(bound[1], of: element, evaluator), bound[0]?.isTrue ?? false))
                if seen.insert(key).inserted { kept.append(element) }
            }
            return .stream(TemplateStream(kept))
        },
        "sum": { evaluator, value, arguments throws(ChatTemplateError) in
            let bound = try evaluator.bind(arguments, to: ["attribute", "start"], of: "sum")
            var sum = bound[1] ?? .integer(0)
            for element in try evaluator.elements(of: value) {
                sum = try evaluator.arithmetic(.add, sum, try member(bound[0], of: element, evaluator))
            }
            return sum
        },
        "min": extreme("min", .less), "max": extreme("max", .greater),
        "map": map,
        "select": filter("select", byMember: false, keeps: true), "reject": filter("reject", byMember: false, keeps: false),
        "selectattr": filter("selectattr", byMember: true, keeps: true), "rejectattr": filter("rejectattr", byMember: true, keeps: false),
    ]

    private static let length: TemplateMethod = { evaluator, value, _ throws(ChatTemplateError) in
        switch value {
        case .text(let text):
            try evaluator.step(count: text.count / 64)
            return .integer(text.bytes.count { $0 & 0xC0 != 0x80 })
        case .undefined: return .integer(0)
        case .list(let elements), .tuple(let elements): return .integer(elements.count)
        case .dictionary(let members): return .integer(members.keys.count)
        case .loop(let state): return .integer(state.elements.count)
        default: throw evaluator.fault("'length' needs a string, list or dictionary, found \(value.kind)")
        }
    }

    /// Letters of any case are alike unless asked otherwise.
    private static func folded(_ value: TemplateValue, _ isExact: Bool) -> TemplateValue {
        guard !isExact, case .text(let text) = value else { return value }
        return .text(text.mapped { PythonText.changed($0, $0.properties.lowercaseMapping) })
    }

    private static func sorted(
        _ elements: [TemplateValue], reverse: TemplateValue?, _ evaluator: TemplateEvaluator,
        by key: (TemplateValue) throws(ChatTemplateError) -> TemplateValue
    ) throws(ChatTemplateError) -> TemplateValue {
        guard reverse?.isTrue == true else { return try evaluator.list(try evaluator.sorted(elements, by: key)) }
        // Equal elements keep their order in both directions.
        return try evaluator.list(try evaluator.sorted(elements.reversed(), by: key).reversed())
    }

    private static func extreme(_ name: String, _ relation: Relation) -> TemplateMethod {
        { evaluator, value, arguments throws(ChatTemplateError) in
            let bound = try evaluator.bind(arguments, to: ["case_sensitive", "attribute"], of: name)
            let isExact = bound[0]?.isTrue ?? false
            var best: (element: TemplateValue, key: TemplateValue)?
            for element in try evaluator.elements(of: value) {
                let key = folded(try member(bound[1], of: element, evaluator), isExact)
                if let current = best, !(try evaluator.holds(relation, key, current.key)) { continue }
                best = (element, key)
            }
            return best?.element ?? .undefined("the sequence is empty")
        }
    }

    /// A member by "name" or "name.inner", or by index; the value itself without one.
    private static func member(_ path: TemplateValue?, of value: TemplateValue, _ evaluator: TemplateEvaluator) throws(ChatTemplateError) -> TemplateValue {
        guard let path else { return value }
        if case .none = path { return value }
        guard let text = path.text else { return try evaluator.item(path, of: value) }
        var result = value
        for part in text.split(by: MarkedText(".", isTrusted: true), limit: -1) {
            let index = Int(part.string).map { TemplateValue.integer($0) } ?? .text(part)
            result = try evaluator.item(index, of: result)
        }
        return result
    }

    /// `map(attribute='name', default=...)` or `map('filter', arguments...)`.
    private static let map: TemplateMethod = { evaluator, value, arguments throws(ChatTemplateError) in
        var mapped: [TemplateValue] = []
        let elements = value.isTrue ? try evaluator.elements(of: value) : []
        try evaluator.charge(elements: elements.count)
        guard let name = arguments.positional.first else {
            let bound = try evaluator.bind(arguments, to: ["attribute", "default"], required: 1, of: "map")
            for element in elements {
                let member = try member(bound[0], of: element, evaluator)
                mapped.append(member.isUndefined ? bound[1] ?? member : member)
            }
            return .stream(TemplateStream(mapped))
        }
        let filterName = try evaluator.text(name, for: "map").string
        guard let filter = TemplateFilters.table[filterName] else { throw evaluator.fault("the filter \(JSONString.quoted(filterName)) is not supported", .unsupported) }
        let rest = TemplateArguments(positional: Array(arguments.positional.dropFirst()), named: arguments.named)
        for element in elements {
            try evaluator.step(count: 1)
            mapped.append(try evaluator.deeper { () throws(ChatTemplateError) in try filter(evaluator, element, rest) })
        }
        return .stream(TemplateStream(mapped))
    }

    /// Elements, or those of which a member, pass a test; without a test, those that are true.
    private static func filter(_ name: String, byMember: Bool, keeps: Bool) -> TemplateMethod {
        { evaluator, value, arguments throws(ChatTemplateError) in
            var rest = arguments.positional[...]
            let path = byMember ? rest.popFirst() : nil
            if byMember && path == nil { throw evaluator.fault("'\(name)' needs the name of a member") }
            var test: TemplateMethod?
            if let testName = try rest.popFirst().map({ (value) throws(ChatTemplateError) in try evaluator.text(value, for: name).string }) {
                test = TemplateTests.table[testName]
                if test == nil { throw evaluator.fault("the test \(JSONString.quoted(testName)) is not supported", .unsupported) }
            }
            let arguments = TemplateArguments(positional: Array(rest), named: arguments.named)
            var kept: [TemplateValue] = []
            for element in value.isTrue ? try evaluator.elements(of: value) : [] {
                try evaluator.step(count: 1)
                let member = try member(path, of: element, evaluator)
                let passes = try test.map { (test) throws(ChatTemplateError) in try test(evaluator, member, arguments) } ?? member
                if passes.isTrue == keeps { kept.append(element) }
            }
            return .stream(TemplateStream(kept))
        }
    }
}
