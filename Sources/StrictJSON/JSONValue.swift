/// A JSON value. Integers that fit are exact; every other number is a `JSONNumber`.
package enum JSONValue: Sendable, Equatable {
    case null
    case bool(Bool)
    /// Any integer literal from Int64.min to Int64.max; "-0" is a `number`.
    case integer(Int64)
    /// An integer literal above Int64.max.
    case unsigned(UInt64)
    case number(JSONNumber)
    case string(JSONString)
    case array([JSONValue])
    case object(JSONObject)
}

/// A number that is no 64-bit integer: its nearest double, and how it was written (empty when it was not read).
package struct JSONNumber: Sendable {
    package let value: Double
    package let text: [UInt8]

    package init(_ value: Double) {
        self.value = value
        text = []
    }

    init(value: Double, text: [UInt8]) {
        self.value = value
        self.text = text
    }
}

extension JSONNumber: Equatable {
    package static func == (left: JSONNumber, right: JSONNumber) -> Bool { left.value == right.value }
}

extension JSONValue {
    package subscript(_ key: String) -> JSONValue? { object?[key] }

    package var isNull: Bool { self == .null }

    package var bool: Bool? { if case .bool(let value) = self { value } else { nil } }

    package var int: Int? { if case .integer(let value) = self { Int(value) } else { nil } }

    package var uint64: UInt64? {
        switch self {
        case .integer(let value): UInt64(exactly: value)
        case .unsigned(let value): value
        default: nil
        }
    }

    /// Any number, as the nearest double.
    package var double: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .unsigned(let value): Double(value)
        case .number(let number): number.value
        default: nil
        }
    }

    package var string: String? { jsonString?.string }

    package var jsonString: JSONString? { if case .string(let value) = self { value } else { nil } }

    package var array: [JSONValue]? { if case .array(let values) = self { values } else { nil } }

    package var object: JSONObject? { if case .object(let members) = self { members } else { nil } }

    /// For messages: "null", "a string", and scalars with their value.
    package var summary: String {
        switch self {
        case .null: "null"
        case .bool(let value): "\(value)"
        case .integer(let value): "\(value)"
        case .unsigned(let value): "\(value)"
        case .number(let number): number.text.isEmpty ? "\(number.value)" : String(decoding: number.text.prefix(40), as: UTF8.self)
        case .string(let value): "the string \(value.quoted)"
        case .array: "an array"
        case .object: "an object"
        }
    }
}

extension JSONValue: ExpressibleByNilLiteral, ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral,
    ExpressibleByFloatLiteral, ExpressibleByStringLiteral, ExpressibleByStringInterpolation, ExpressibleByArrayLiteral,
    ExpressibleByDictionaryLiteral
{
    package init(nilLiteral: ()) { self = .null }
    package init(booleanLiteral value: Bool) { self = .bool(value) }
    package init(integerLiteral value: Int64) { self = .integer(value) }
    package init(floatLiteral value: Double) { self.init(value) }
    package init(stringLiteral value: String) { self.init(value) }
    package init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
    package init(dictionaryLiteral elements: (String, JSONValue)...) {
        var object = JSONObject()
        for (key, value) in elements {
            let isNew = object.append(JSONString(key), value)
            precondition(isNew, "the key '\(key)' is written twice")
        }
        self = .object(object)
    }
}

extension JSONValue {
    package init(_ value: Bool) { self = .bool(value) }
    package init(_ value: some BinaryInteger) {
        if let small = Int64(exactly: value) {
            self = .integer(small)
        } else if let large = UInt64(exactly: value) {
            self = .unsigned(large)
        } else {
            self = .number(JSONNumber(Double(value)))
        }
    }
    package init(_ value: Double) { self = .number(JSONNumber(value)) }
    package init(_ value: some StringProtocol) { self = .string(JSONString(value)) }
    package init(_ values: [JSONValue]) { self = .array(values) }
    package init(_ members: JSONObject) { self = .object(members) }
}
