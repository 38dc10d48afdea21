import StrictJSON

/// The rotary fields of a config. transformers 4 writes `rope_theta` and `rope_scaling`, transformers 5 one object
/// `rope_parameters` with both; copies that carry the two spellings must agree with themselves.
enum RopeFields {
    static let defaultTheta = 10000.0

    static func read(_ reader: inout ConfigurationReader) -> (theta: Double, scaling: RopeScaling) {
        var thetas: [Double] = []
        var scalings: [RopeScaling] = []
        if reader.value("rope_theta") != nil { thetas.append(reader.positive("rope_theta")) }
        for key in ["rope_scaling", "rope_parameters"] {
            guard let value = reader.value(key) else { continue }
            guard let object = value.object else {
                reader.expected(key, "an object or null", value)
                continue
            }
            var fields = ConfigurationReader(object, place: "\(key).")
            // Only the older field always names a type.
            if let scaling = scaling(&fields, typeIsRequired: key == "rope_scaling") { scalings.append(scaling) }
            if fields.value("rope_theta") != nil { thetas.append(fields.positive("rope_theta")) }
            checkFullRotation(&fields)
            reader.faults += fields.faults
        }
        checkFullRotation(&reader)
        if let first = thetas.first, let other = thetas.first(where: { $0 != first }) {
            reader.fail("rope_theta", "is given twice, as \(first) and as \(other)")
        }
        if let first = scalings.first, scalings.contains(where: { $0 != first }) {
            reader.fail("rope_parameters", "and rope_scaling do not say the same")
        }
        return (thetas.first ?? defaultTheta, scalings.first ?? .none)
    }

    private static func checkFullRotation(_ fields: inout ConfigurationReader) {
        guard let part = fields.value("partial_rotary_factor"), part.double != 1 else { return }
        fields.expected("partial_rotary_factor", "1", part)
    }

    private static func scaling(_ fields: inout ConfigurationReader, typeIsRequired: Bool) -> RopeScaling? {
        let new = fields.text("rope_type")
        let old = fields.text("type")
        if let new, let old, new != old { fields.fail("rope_type", "is \(new.quoted), but type is \(old.quoted)") }
        guard let type = new ?? old else {
            if typeIsRequired && fields.faults.isEmpty { fields.fail("rope_type", "is missing") }
            return typeIsRequired ? nil : RopeScaling.none
        }
        switch type {
        case "default": return RopeScaling.none
        case "linear": return .linear(factor: factor(&fields))
        case "llama3":
            let factor = factor(&fields)
            let low = fields.positive("low_freq_factor")
            let high = fields.positive("high_freq_factor")
            let original = fields.integer("original_max_position_embeddings", in: 1...(1 << 40))
            if fields.faults.isEmpty && low >= high { fields.fail("low_freq_factor", "\(low) must be below high_freq_factor \(high)") }
            return .llama3(factor: factor, lowFrequencyFactor: low, highFrequencyFactor: high, originalContext: original)
        default:
            fields.fail("rope_type", "\(type.quoted) is not supported; supported are 'default', 'linear' and 'llama3'; "
                + "give the model from before its context was extended")
            return nil
        }
    }

    private static func factor(_ fields: inout ConfigurationReader) -> Double {
        let factor = fields.positive("factor")
        if factor < 1 { fields.fail("factor", "must be at least 1, found \(factor)") }
        return factor
    }
}
