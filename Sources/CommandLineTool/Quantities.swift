import Glibc

/// Numbers as people read them.
enum Quantities {
    static func fixed(_ value: Double, _ digits: Int) -> String {
        guard value.isFinite else { return value.isNaN ? "nan" : value < 0 ? "-inf" : "inf" }
        var buffer = [CChar](repeating: 0, count: 400)
        let count = withVaList([Int32(digits), value]) { vsnprintf(&buffer, buffer.count, "%.*f", $0) }
        return String(decoding: buffer.prefix(Int(count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Three significant digits and more, or an exponent.
    static func short(_ value: Double) -> String {
        var buffer = [CChar](repeating: 0, count: 64)
        let count = withVaList([value]) { vsnprintf(&buffer, buffer.count, "%.4g", $0) }
        return String(decoding: buffer.prefix(Int(count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Decimal units, as disks are sold.
    static func bytes(_ count: UInt64) -> String {
        if count < 10_000 { return "\(count) B" }
        var value = Double(count) / 1e3
        var unit = "kB"
        for next in ["MB", "GB", "TB"] where value >= 999.5 {
            value /= 1e3
            unit = next
        }
        return "\(fixed(value, value < 9.995 ? 2 : value < 99.95 ? 1 : 0)) \(unit)"
    }

    static func count(_ value: Int) -> String {
        switch value {
        case ..<100_000: "\(value)"
        case ..<100_000_000: "\(fixed(Double(value) / 1e6, 2)) M"
        case ..<1_000_000_000: "\(fixed(Double(value) / 1e6, 0)) M"
        default: "\(fixed(Double(value) / 1e9, 2)) B"
        }
    }

    static func decibels(_ value: Double) -> String { value == .infinity ? "lossless" : "\(fixed(value, 2)) dB" }

    /// Minutes and seconds.
    static func duration(_ seconds: Double) -> String {
        guard seconds.isFinite, seconds < 360_000 else { return "?" }
        let whole = Int(seconds.rounded(.up))
        return "\(whole / 60):\(whole % 60 < 10 ? "0" : "")\(whole % 60)"
    }
}

/// A table with columns as wide as needed; the first is flush left, the others flush right.
struct TextTable {
    private var rows: [[String]]

    init(_ head: [String]) { rows = [head] }

    mutating func add(_ row: [String]) { rows.append(row) }

    var text: String {
        let columns = rows.map(\.count).max() ?? 0
        let widths = (0..<columns).map { column in rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0 }
        return rows.map { row in
            let cells = row.enumerated().map { column, cell in
                let space = String(repeating: " ", count: widths[column] - cell.count)
                return column == 0 ? cell + space : space + cell
            }
            let line = "  " + cells.joined(separator: "  ")
            return String(line.reversed().drop { $0 == " " }.reversed())
        }.joined(separator: "\n")
    }
}
