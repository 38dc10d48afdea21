import Glibc

/// Numbers as a page shows them: a true minus sign, narrow spaces between thousands and before units, none of which breaks.
enum Numbers {
    /// U+202F, the narrow space at which no line breaks.
    static let space = "\u{202F}"
    static let absent = "–"

    /// `digits` after the point.
    static func fixed(_ value: Double, _ digits: Int) -> String {
        guard value.isFinite else { return value.isNaN ? absent : value < 0 ? "−∞" : "∞" }
        var buffer = [CChar](repeating: 0, count: 400)
        let count = withVaList([Int32(digits), abs(value)]) { vsnprintf(&buffer, buffer.count, "%.*f", $0) }
        let text = String(decoding: buffer.prefix(Int(count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let isZero = text.allSatisfy { $0 == "0" || $0 == "." }
        return (value < 0 && !isZero ? "−" : "") + grouped(text)
    }

    /// `digits` that count, without zeros at the end of the power form: 0.00189, 74.9, 3.1 × 10⁻⁷.
    static func significant(_ value: Double, _ digits: Int = 3) -> String {
        guard value.isFinite, value != 0 else { return value == 0 ? "0" : fixed(value, 0) }
        var exponent = Int(log10(abs(value)).rounded(.down))
        // Rounding may carry into the next power: 9.996 with three digits is 10.0.
        if (abs(value) / pow(10, Double(exponent - digits + 1))).rounded() >= pow(10, Double(digits)) { exponent += 1 }
        if (-5..<6).contains(exponent) { return fixed(value, max(0, digits - 1 - exponent)) }
        return "\(fixed(value / pow(10, Double(exponent)), digits - 1))\(space)×\(space)10\(superscript(exponent))"
    }

    static func superscript(_ number: Int) -> String {
        let digits = Array("⁰¹²³⁴⁵⁶⁷⁸⁹")
        return (number < 0 ? "⁻" : "") + String(String(number.magnitude).map { digits[$0.wholeNumberValue ?? 0] })
    }

    static func count(_ value: some BinaryInteger) -> String { grouped(String(value)) }

    /// 7.08 M, 70.6 B.
    static func large(_ value: Int) -> String {
        if value < 100_000 { return count(value) }
        let (scaled, unit) = value < 999_500_000 ? (Double(value) / 1e6, "M") : (Double(value) / 1e9, "B")
        return fixed(scaled, scaled < 9.995 ? 2 : scaled < 99.95 ? 1 : 0) + space + unit
    }

    /// The same in words.
    static func inWords(_ value: Int) -> String {
        if value < 1_000_000 { return count(value) }
        let (scaled, unit) = value < 999_500_000 ? (Double(value) / 1e6, "million") : (Double(value) / 1e9, "billion")
        return fixed(scaled, scaled < 9.995 ? 2 : scaled < 99.95 ? 1 : 0) + "\u{A0}" + unit
    }

    /// Decimal units, as disks are sold.
    static func bytes(_ value: UInt64) -> String {
        if value < 10_000 { return count(value) + space + "B" }
        var (scaled, unit) = (Double(value) / 1e3, "kB")
        for next in ["MB", "GB", "TB"] where scaled >= 999.5 { (scaled, unit) = (scaled / 1e3, next) }
        return fixed(scaled, scaled < 9.995 ? 2 : scaled < 99.95 ? 1 : 0) + space + unit
    }

    /// Infinite: nothing was lost.
    static func decibels(_ value: Double) -> String { value == .infinity ? "lossless" : fixed(value, 2) + space + "dB" }

    static func percent(_ fraction: Double, _ digits: Int = 2) -> String { fixed(fraction * 100, digits) + space + "%" }

    /// Narrow spaces between groups of three digits, before the point; four digits stay together.
    private static func grouped(_ number: String) -> String {
        let whole = number.prefix { $0 != "." }
        guard whole.count > 4 else { return number }
        var result = ""
        for (index, digit) in whole.enumerated() {
            if index > 0, (whole.count - index) % 3 == 0 { result += space }
            result.append(digit)
        }
        return result + number[whole.endIndex...]
    }
}

/// "1 tensor", "3 tensors".
func counted(_ count: Int, _ noun: String, _ plural: String? = nil) -> String {
    "\(Numbers.count(count))\u{A0}\(count == 1 ? noun : plural ?? noun + "s")"
}
