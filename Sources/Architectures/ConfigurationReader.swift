import StrictJSON

/// Takes fields out of a config and collects every fault on the way, so that all are reported at once.
/// A field that is null counts as absent.
struct ConfigurationReader {
    let object: JSONObject
    /// Where the object lies in the config, as a prefix of field names: "" or "rope_scaling.".
    let place: String
    var faults: [String] = []

    init(_ object: JSONObject, place: String = "") {
        self.object = object
        self.place = place
    }

    func value(_ key: String) -> JSONValue? {
        guard let value = object[key], !value.isNull else { return nil }
        return value
    }

    mutating func fail(_ key: String, _ problem: String) { faults.append("\(place)\(key) \(problem)") }

    mutating func expected(_ key: String, _ expected: String, _ found: JSONValue) { fail(key, "must be \(expected), found \(found.summary)") }

    /// `fallback` when absent; nil makes the field required.
    mutating func integer(_ key: String, in range: ClosedRange<Int>, fallback: Int? = nil) -> Int {
        guard let value = value(key) else {
            if fallback == nil { fail(key, "is missing") }
            return fallback ?? range.lowerBound
        }
        guard let number = value.int, range.contains(number) else {
            expected(key, "an integer from \(range.lowerBound) to \(range.upperBound)", value)
            return range.lowerBound
        }
        return number
    }

    /// A finite number above zero.
    mutating func positive(_ key: String, fallback: Double? = nil) -> Double {
        guard let value = value(key) else {
            if fallback == nil { fail(key, "is missing") }
            return fallback ?? 1
        }
        guard let number = value.double, number.isFinite, number > 0, Float(number).isFinite, Float(number) > 0 else {
            expected(key, "a number above 0", value)
            return 1
        }
        return number
    }

    mutating func flag(_ key: String) -> Bool {
        guard let value = value(key) else { return false }
        guard let flag = value.bool else {
            expected(key, "true or false", value)
            return false
        }
        return flag
    }

    mutating func text(_ key: String) -> JSONString? {
        guard let value = value(key) else { return nil }
        guard let text = value.jsonString else {
            expected(key, "a string", value)
            return nil
        }
        return text
    }

    /// A token id, or nil when it is absent or negative: some exports write -1 for "none".
    mutating func token(_ key: String) -> Int? {
        guard let value = value(key) else { return nil }
        guard let number = value.int, number <= LlamaConfiguration.largestDimension else {
            expected(key, "a token id", value)
            return nil
        }
        return number < 0 ? nil : number
    }

    /// One token id or a list of them.
    mutating func tokens(_ key: String) -> [Int] {
        guard let values = value(key)?.array else { return token(key).map { [$0] } ?? [] }
        var tokens: [Int] = []
        for value in values {
            guard let number = value.int, (0...LlamaConfiguration.largestDimension).contains(number) else {
                expected(key, "a token id or a list of them", value)
                return []
            }
            if !tokens.contains(number) { tokens.append(number) }
            if tokens.count > 1000 {
                fail(key, "lists more than 1000 tokens")
                return []
            }
        }
        return tokens
    }
}
