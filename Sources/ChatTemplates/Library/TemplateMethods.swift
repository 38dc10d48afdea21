/// What can be called on a value. Nothing here changes its owner.
enum TemplateMethods {
    enum Owner: Hashable {
        case text
        case list
        case dictionary
        case loop
        case other

        init(_ value: TemplateValue) {
            switch value {
            case .text: self = .text
            case .list, .tuple: self = .list
            case .dictionary: self = .dictionary
            case .loop: self = .loop
            default: self = .other
            }
        }
    }

    static let tables: [Owner: [String: TemplateMethod]] = [
        .text: text.merging(characterKinds) { first, _ in first },
        .list: list.merging(closed(["append", "extend", "insert", "pop", "remove", "clear", "sort", "reverse"])) { first, _ in first },
        .dictionary: dictionary.merging(closed(["update", "pop", "popitem", "clear", "setdefault"])) { first, _ in first },
        .loop: loop,
    ]

    private static func closed(_ names: [String]) -> [String: TemplateMethod] {
        Dictionary(names.map { ($0, closed($0)) }, uniquingKeysWith: { first, _ in first })
    }

    private static func closed(_ name: String) -> TemplateMethod {
        { evaluator, _, _ throws(ChatTemplateError) in throw evaluator.fault("'.\(name)()' changes a value, which is closed to templates") }
    }

    // MARK: Strings

    private static func onText(
        _ name: String, _ parameters: [String] = [], required: Int = 0,
        _ body: @escaping @Sendable (TemplateEvaluator, MarkedText, [TemplateValue?]) throws(ChatTemplateError) -> TemplateValue
    ) -> TemplateMethod {
        { evaluator, value, arguments throws(ChatTemplateError) in
            let text = try evaluator.text(value, for: name)
            let bound = try evaluator.bind(arguments, to: parameters, required: required, of: name)
            try evaluator.charge(bytes: text.count)
            return try body(evaluator, text, bound)
        }
    }

    private static func strip(_ name: String, start: Bool, end: Bool) -> TemplateMethod {
        onText(name, ["chars"]) { evaluator, text, bound throws(ChatTemplateError) in
            guard let chars = bound[0], !isNone(chars) else { return .text(text.trimmed(start: start, end: end)) }
            let dropped = Set(try evaluator.text(chars, for: name).string.unicodeScalars)
            return .text(text.trimmed(start: start, end: end) { dropped.contains($0) })
        }
    }

    private static func isNone(_ value: TemplateValue) -> Bool { if case .none = value { true } else { false } }

    private static func split(_ name: String, fromEnd: Bool) -> TemplateMethod {
        onText(name, ["sep", "maxsplit"]) { evaluator, text, bound throws(ChatTemplateError) in
            let limit = try bound[1].map { (value) throws(ChatTemplateError) in try evaluator.integer(value, for: name) } ?? -1
            // One more than a list may have is enough to be refused.
            let most = limit < 0 ? evaluator.mostElements : min(limit, evaluator.mostElements)
            var parts: [MarkedText]
            if let separator = bound[0], !isNone(separator) {
                let separator = try evaluator.text(separator, for: name)
                guard !separator.isEmpty else { throw evaluator.fault("'\(name)': the separator is empty") }
                parts = text.split(by: separator, limit: most, fromEnd: fromEnd && limit >= 0)
            } else {
                guard !fromEnd || limit < 0 else { throw evaluator.fault("'rsplit' with a limit needs a separator", .unsupported) }
                parts = text.words(limit: most)
            }
            return try evaluator.list(parts.map { .text($0) })
        }
    }

    /// A prefix or suffix, or a tuple of them.
    private static func edge(_ name: String, _ has: @escaping @Sendable (MarkedText, MarkedText) -> Bool) -> TemplateMethod {
        onText(name, ["prefix"], required: 1) { evaluator, text, bound throws(ChatTemplateError) in
            guard case .tuple(let edges) = bound[0]! else { return .bool(has(text, try evaluator.text(bound[0]!, for: name))) }
            for edge in edges where has(text, try evaluator.text(edge, for: name)) { return .bool(true) }
            return .bool(false)
        }
    }

    private static func find(_ name: String, last: Bool) -> TemplateMethod {
        onText(name, ["sub"], required: 1) { evaluator, text, bound throws(ChatTemplateError) in
            let sought = try evaluator.text(bound[0]!, for: name)
            try evaluator.step(count: text.count / 16)
            let range = last ? text.lastRange(of: sought) : text.firstRange(of: sought)
            if range == nil && name == "index" { throw evaluator.fault("'index': the string does not hold \(sought.quoted)") }
            return .integer(range.map { text.bytes[..<$0.lowerBound].count { $0 & 0xC0 != 0x80 } } ?? -1)
        }
    }

    private static let text: [String: TemplateMethod] = [
        "strip": strip("strip", start: true, end: true), "lstrip": strip("lstrip", start: true, end: false),
        "rstrip": strip("rstrip", start: false, end: true),
        "split": split("split", fromEnd: false), "rsplit": split("rsplit", fromEnd: true),
        "splitlines": onText("splitlines", ["keepends"]) { evaluator, text, bound throws(ChatTemplateError) in
            try evaluator.list(text.lines(keepsEnds: bound[0]?.isTrue ?? false, limit: evaluator.mostElements).map { .text($0) })
        },
        "startswith": edge("startswith") { $0.hasPrefix($1) }, "endswith": edge("endswith") { $0.hasSuffix($1) },
        "removeprefix": onText("removeprefix", ["prefix"], required: 1) { evaluator, text, bound throws(ChatTemplateError) in
            let prefix = try evaluator.text(bound[0]!, for: "removeprefix")
            return .text(text.hasPrefix(prefix) ? text.slice(prefix.count..<text.count) : text)
        },
        "removesuffix": onText("removesuffix", ["suffix"], required: 1) { evaluator, text, bound throws(ChatTemplateError) in
            let suffix = try evaluator.text(bound[0]!, for: "removesuffix")
            return .text(text.hasSuffix(suffix) ? text.slice(0..<(text.count - suffix.count)) : text)
        },
        "upper": onText("upper") { evaluator, text, _ throws(ChatTemplateError) in try TextFilters.upper(evaluator, text) },
        "lower": onText("lower") { evaluator, text, _ throws(ChatTemplateError) in try TextFilters.lower(evaluator, text) },
        "title": onText("title") { _, text, _ throws(ChatTemplateError) in .text(PythonText.title(text)) },
        "capitalize": onText("capitalize") { _, text, _ throws(ChatTemplateError) in .text(PythonText.capitalized(text)) },
        "replace": onText("replace", ["old", "new", "count"], required: 2) { evaluator, text, bound throws(ChatTemplateError) in
            try TextFilters.replace(evaluator, text, old: bound[0]!, new: bound[1]!, limit: bound[2])
        },
        "find": find("find", last: false), "rfind": find("rfind", last: true), "index": find("index", last: false),
        "count": onText("count", ["sub"], required: 1) { evaluator, text, bound throws(ChatTemplateError) in
            let sought = try evaluator.text(bound[0]!, for: "count")
            if sought.isEmpty { return .integer(text.scalarOffsets.count) }
            try evaluator.charge(bytes: 16 * text.count)
            return .integer(ByteSearch.ranges(of: sought.bytes, in: text.bytes, limit: -1).count)
        },
        "join": onText("join", ["parts"], required: 1) { evaluator, text, bound throws(ChatTemplateError) in
            var parts: [MarkedText] = []
            for part in try evaluator.elements(of: bound[0]!) { parts.append(try evaluator.text(part, for: "join")) }
            return try evaluator.text(MarkedText.joined(parts, by: text))
        },
    ]

    /// True where there are characters and each is of the kind.
    private static let characterKinds: [String: TemplateMethod] = [
        "isdigit": every("isdigit") { $0.properties.numericType == .decimal || $0.properties.numericType == .digit },
        "isnumeric": every("isnumeric") { $0.properties.numericType != nil },
        "isalpha": every("isalpha") { $0.properties.generalCategory.isLetter },
        "isalnum": every("isalnum") { $0.properties.generalCategory.isLetter || $0.properties.numericType != nil },
        "isspace": every("isspace") { PythonText.isSpace($0) },
        "islower": onText("islower") { _, text, _ throws(ChatTemplateError) in .bool(PythonText.isLower(text.string)) },
        "isupper": onText("isupper") { _, text, _ throws(ChatTemplateError) in .bool(PythonText.isUpper(text.string)) },
    ]

    private static func every(_ name: String, _ holds: @escaping @Sendable (Unicode.Scalar) -> Bool) -> TemplateMethod {
        onText(name) { _, text, _ throws(ChatTemplateError) in .bool(!text.isEmpty && text.string.unicodeScalars.allSatisfy(holds)) }
    }

    // MARK: Lists, dictionaries, loops

    private static let list: [String: TemplateMethod] = [
        "index": { evaluator, value, arguments throws(ChatTemplateError) in
            let sought = try evaluator.bind(arguments, to: ["value"], required: 1, of: "index")[0]!
            for (index, element) in try evaluator.elements(of: value).enumerated() where try evaluator.areEqual(element, sought) { return .integer(index) }
            throw evaluator.fault("'index': the list does not hold the value")
        },
        "count": { evaluator, value, arguments throws(ChatTemplateError) in
            let sought = try evaluator.bind(arguments, to: ["value"], required: 1, of: "count")[0]!
            var count = 0
            for element in try evaluator.elements(of: value) where try evaluator.areEqual(element, sought) { count += 1 }
            return .integer(count)
        },
    ]

    private static func members(_ value: TemplateValue) -> TemplateDictionary {
        if case .dictionary(let members) = value { members } else { TemplateDictionary() }
    }

    private static let dictionary: [String: TemplateMethod] = [
        "items": { evaluator, value, _ throws(ChatTemplateError) in try evaluator.nested(try evaluator.list(members(value).items)) },
        "keys": { evaluator, value, _ throws(ChatTemplateError) in try evaluator.list(members(value).keys) },
        "values": { evaluator, value, _ throws(ChatTemplateError) in try evaluator.list(members(value).values) },
        "copy": { _, value, _ throws(ChatTemplateError) in value },
        "get": { evaluator, value, arguments throws(ChatTemplateError) in
            let bound = try evaluator.bind(arguments, to: ["key", "default"], required: 1, of: "get")
            return members(value)[try evaluator.key(bound[0]!)] ?? bound[1] ?? .none
        },
    ]

    private static let loop: [String: TemplateMethod] = [
        "cycle": { evaluator, value, arguments throws(ChatTemplateError) in
            guard case .loop(let state) = value, !arguments.positional.isEmpty else { throw evaluator.fault("'loop.cycle' needs arguments") }
            return arguments.positional[state.index % arguments.positional.count]
        },
        "changed": { evaluator, value, arguments throws(ChatTemplateError) in
            guard case .loop(let state) = value else { return .bool(false) }
            defer { state.watched = arguments.positional }
            guard let watched = state.watched else { return .bool(true) }
            return .bool(!(try evaluator.areEqual(.tuple(watched), .tuple(arguments.positional))))
        },
    ]
}

extension Unicode.GeneralCategory {
    var isLetter: Bool {
        switch self {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: true
        default: false
        }
    }
}
