import ModelFiles
import StrictJSON

/// An object of an evaluation's document, and what messages call it. A member that is missing or null is nil; one that is
/// there must be right.
struct EvaluationFields {
    let name: String
    let value: JSONValue

    /// What a divergence in nats can be: rounding may leave one of two equal models a little below 0.
    static let divergences = -1e-3..<Double.infinity

    func wrong(_ what: String) -> ReportError { ReportError("\(name): \(what); \(EvaluationResult.cure)") }

    func checkIsObject() throws(ReportError) {
        guard value.object != nil else { throw wrong("is \(value.summary), expected an object") }
    }

    private func present(_ key: String) -> JSONValue? {
        guard let member = value[key], !member.isNull else { return nil }
        return member
    }

    func member(_ key: String) throws(ReportError) -> EvaluationFields? {
        guard let member = present(key) else { return nil }
        let fields = EvaluationFields(name: "\(name): \(key)", value: member)
        try fields.checkIsObject()
        return fields
    }

    func number(_ key: String, _ range: Range<Double>) throws(ReportError) -> Double? {
        guard let member = present(key) else { return nil }
        guard let number = member.double else { throw wrong("\(key) is \(member.summary), expected a number") }
        guard range.contains(number) else {
            throw wrong("\(key) is \(number), expected \(range.upperBound.isFinite ? "\(range.lowerBound) ... \(range.upperBound.nextDown)" : "0 or more")")
        }
        return number
    }

    func count(_ key: String) throws(ReportError) -> Int? {
        guard let member = present(key) else { return nil }
        guard let count = member.int, count >= 0 else { throw wrong("\(key) is \(member.summary), expected a whole number, 0 or more") }
        return count
    }

    /// The number `key` with `key_uncertainty`.
    func estimate(_ key: String, _ range: Range<Double>) throws(ReportError) -> EvaluationResult.Estimate? {
        guard let value = try number(key, range) else { return nil }
        return .init(value: value, uncertainty: try number("\(key)_uncertainty", 0..<Double.infinity))
    }

    /// What a part of the error adds: a number, or an object that holds it as `mean_kld`.
    func divergence(_ key: String) throws(ReportError) -> Double? {
        let range = -1e6..<1e6
        if value[key]?.object != nil { return try member(key)?.number("mean_kld", range) }
        return try number(key, range)
    }

    func numbers(_ key: String, mostBins: Int) throws(ReportError) -> [Double] {
        guard let member = present(key) else { throw wrong("\(key) is missing") }
        guard let values = member.array, values.count <= mostBins else {
            throw wrong("\(key) is \(member.array.map { "an array of \($0.count)" } ?? member.summary), expected an array of at most \(mostBins) numbers")
        }
        var numbers: [Double] = []
        for value in values {
            guard let number = value.double else { throw wrong("\(key) holds \(value.summary), expected numbers") }
            numbers.append(number)
        }
        return numbers
    }

    func digest(_ key: String) throws(ReportError) -> Digest32? {
        guard let member = present(key) else { return nil }
        guard let digest = member.string.flatMap(Digest32.init(hex:)) else {
            throw wrong("\(key) is \(member.summary), expected 64 lower-case hexadecimal digits")
        }
        return digest
    }
}
