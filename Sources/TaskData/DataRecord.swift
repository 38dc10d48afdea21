import StrictJSON

/// One row of a data file, with its columns by their published names.
package struct DataRecord: Sendable {
    package let path: String
    /// Where it begins, counted from 1.
    package let line: Int
    let values: JSONObject
    /// Whether values come from CSV, where everything is text and an empty field is a missing value.
    let isText: Bool

    init(path: String, line: Int, values: JSONObject, isText: Bool) {
        (self.path, self.line, self.values, self.isText) = (path, line, values, isText)
    }

    func fail(_ field: String, _ message: String) -> DataError { DataError(path: path, line: line, field: field, message) }

    /// The value, or nil when the column is missing, null or an empty CSV field.
    func optional(_ field: String) -> JSONValue? {
        guard let value = values[field], !value.isNull else { return nil }
        if isText, value.jsonString?.isEmpty == true { return nil }
        return value
    }

    func value(_ field: String, _ expected: String) throws(DataError) -> JSONValue {
        guard values[field] != nil else {
            let found = values.keys.prefix(12).map(\.quoted).joined(separator: ", ")
            throw DataError(path: path, line: line, field: field, "is missing, expected \(expected); the columns here are \(found.isEmpty ? "none" : found)")
        }
        guard let value = optional(field) else { throw fail(field, "is empty, expected \(expected)") }
        return value
    }

    func text(_ field: String) throws(DataError) -> String {
        let value = try value(field, "a text")
        guard let text = value.string else { throw fail(field, "is \(value.summary), expected a text") }
        return text
    }

    /// An integer within the range; CSV spells it in digits.
    func integer(_ field: String, in range: ClosedRange<Int>, _ meaning: String) throws(DataError) -> Int {
        let expected = "\(range.lowerBound)...\(range.upperBound), \(meaning)"
        let value = try value(field, expected)
        guard let number = Self.integer(value), range.contains(number) else { throw fail(field, "is \(value.summary), expected \(expected)") }
        return number
    }

    static func integer(_ value: JSONValue) -> Int? {
        if let number = value.int { return number }
        if let text = value.string { return Int(text).flatMap { "\($0)" == text ? $0 : nil } }
        // Tools that know missing numbers write 2 as 2.0.
        return value.double.flatMap { Int(exactly: $0) }
    }

    /// A list of texts: a JSON array, in CSV written as one.
    func texts(_ field: String, _ expected: String) throws(DataError) -> [String] {
        let value = try structure(field, expected)
        guard let items = value.array else { throw fail(field, "is \(value.summary), expected \(expected)") }
        var texts: [String] = []
        for (index, item) in items.enumerated() {
            guard let text = item.string else { throw fail(field, "item \(index + 1) is \(item.summary), expected a text") }
            texts.append(text)
        }
        return texts
    }

    /// An array or object: of JSON as it is, of CSV as JSON text in the field.
    func structure(_ field: String, _ expected: String) throws(DataError) -> JSONValue {
        let value = try value(field, expected)
        guard isText, let text = value.jsonString else { return value }
        guard let inner = try? JSONReader.read(text.bytes) else {
            throw fail(field, "is the text \(text.quoted), expected \(expected) as JSON; CSV has no lists, so take the data as JSON lines")
        }
        return inner
    }
}
