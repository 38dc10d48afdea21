import Glibc

/// What a template computes with. Nothing in it reaches outside of the template.
indirect enum TemplateValue {
    /// Prints as nothing, is false, and must not be used otherwise. Says what it would have been.
    case undefined(String)
    case none
    case bool(Bool)
    case integer(Int)
    case float(Double)
    case text(MarkedText)
    case list([TemplateValue])
    case tuple([TemplateValue])
    case dictionary(TemplateDictionary)
    /// The result of a filter that can be gone through once.
    case stream(TemplateStream)
    case namespace(TemplateNamespace)
    case loop(LoopState)
    case macro(TemplateMacro)
    case function(String, TemplateFunction)
    case method(of: TemplateValue, String, TemplateMethod)

    /// For messages.
    var kind: String {
        switch self {
        case .undefined: "an undefined value"
        case .none: "none"
        case .bool(let value): value ? "true" : "false"
        case .integer, .float: "a number"
        case .text: "a string"
        case .list: "a list"
        case .tuple: "a tuple"
        case .dictionary: "a dictionary"
        case .stream: "a filter's result"
        case .namespace: "a namespace"
        case .loop: "the loop"
        case .macro, .function, .method: "a function"
        }
    }

    var isUndefined: Bool { if case .undefined = self { true } else { false } }

    var isTrue: Bool {
        switch self {
        case .undefined, .none: false
        case .bool(let value): value
        case .integer(let value): value != 0
        case .float(let value): value != 0
        case .text(let text): !text.isEmpty
        case .list(let elements), .tuple(let elements): !elements.isEmpty
        case .dictionary(let members): !members.keys.isEmpty
        default: true
        }
    }

    /// Text of the template itself.
    static func own(_ text: String) -> TemplateValue { .text(MarkedText(text, isTrusted: true)) }

    /// An integer or a truth value.
    var integer: Int? {
        switch self {
        case .integer(let value): value
        case .bool(let value): value ? 1 : 0
        default: nil
        }
    }

    var number: Double? {
        if case .float(let value) = self { return value }
        return integer.map { Double($0) }
    }

    var text: MarkedText? { if case .text(let text) = self { text } else { nil } }
}

/// Members in the order in which they were added.
struct TemplateDictionary {
    private(set) var keys: [TemplateValue] = []
    private(set) var values: [TemplateValue] = []
    private var positions: [TemplateKey: Int] = [:]

    init() {}

    init(_ members: [(String, TemplateValue)]) {
        for (name, value) in members { set(.own(name), TemplateKey.text(MarkedText(name, isTrusted: true)), value) }
    }

    subscript(_ key: TemplateKey) -> TemplateValue? { positions[key].map { values[$0] } }

    subscript(_ name: String) -> TemplateValue? { self[.text(MarkedText(name, isTrusted: true))] }

    mutating func set(_ key: TemplateValue, _ hashed: TemplateKey, _ value: TemplateValue) {
        if let position = positions[hashed] {
            values[position] = value
        } else {
            positions[hashed] = keys.count
            keys.append(key)
            values.append(value)
        }
    }

    var items: [TemplateValue] { zip(keys, values).map { .tuple([$0, $1]) } }
}

/// A value that can be a key; equal keys are equal values.
enum TemplateKey: Hashable {
    case none
    case integer(Int)
    case float(Double)
    case text(MarkedText)
    case tuple([TemplateKey])

    init?(_ value: TemplateValue) {
        switch value {
        case .none: self = .none
        case .bool, .integer: self = .integer(value.integer!)
        case .float(let number): self = Int(exactly: number).map { .integer($0) } ?? .float(number)
        case .text(let text): self = .text(text)
        case .tuple(let elements):
            var keys: [TemplateKey] = []
            for element in elements {
                guard let key = TemplateKey(element) else { return nil }
                keys.append(key)
            }
            self = .tuple(keys)
        default: return nil
        }
    }
}

final class TemplateStream {
    private(set) var elements: [TemplateValue]

    init(_ elements: [TemplateValue]) { self.elements = elements }

    /// What was not taken before.
    func takeAll() -> [TemplateValue] {
        defer { elements = [] }
        return elements
    }

    func takeFirst() -> TemplateValue? { elements.isEmpty ? nil : elements.removeFirst() }
}

final class TemplateNamespace {
    var members: [String: TemplateValue] = [:]
}

/// What `loop` shows.
final class LoopState {
    let elements: [TemplateValue]
    var index = 0
    /// The last argument of `loop.changed`.
    var watched: [TemplateValue]?

    init(_ elements: [TemplateValue]) { self.elements = elements }

    static let members: [String: @Sendable (LoopState) -> TemplateValue] = [
        "index": { .integer($0.index + 1) }, "index0": { .integer($0.index) },
        "revindex": { .integer($0.elements.count - $0.index) }, "revindex0": { .integer($0.elements.count - $0.index - 1) },
        "first": { .bool($0.index == 0) }, "last": { .bool($0.index == $0.elements.count - 1) },
        "length": { .integer($0.elements.count) }, "depth": { _ in .integer(1) }, "depth0": { _ in .integer(0) },
        "previtem": { $0.index > 0 ? $0.elements[$0.index - 1] : .undefined("there is no previous item") },
        "nextitem": { $0.index + 1 < $0.elements.count ? $0.elements[$0.index + 1] : .undefined("there is no next item") },
    ]
}

final class TemplateMacro {
    let statement: MacroStatement
    /// Where it was defined; its names are looked up there.
    let scope: TemplateScope

    init(statement: MacroStatement, scope: TemplateScope) {
        self.statement = statement
        self.scope = scope
    }
}

/// Names and their values within a block.
final class TemplateScope {
    private var values: [String: TemplateValue] = [:]
    private let outer: TemplateScope?

    init(within outer: TemplateScope?) { self.outer = outer }

    func set(_ name: String, _ value: TemplateValue) { values[name] = value }

    func removeAll() { values = [:] }

    func value(of name: String) -> TemplateValue? {
        var scope: TemplateScope? = self
        while let current = scope {
            if let value = current.values[name] { return value }
            scope = current.outer
        }
        return nil
    }
}

/// Arguments by position and by name.
struct TemplateArguments {
    var positional: [TemplateValue] = []
    var named: [(name: String, value: TemplateValue)] = []
}

typealias TemplateFunction = @Sendable (TemplateEvaluator, TemplateArguments) throws(ChatTemplateError) -> TemplateValue
typealias TemplateMethod = @Sendable (TemplateEvaluator, TemplateValue, TemplateArguments) throws(ChatTemplateError) -> TemplateValue
