/// UTF-8 text that knows which of its bytes come from the chat format and which from people.
///
/// Texts are only cut and joined, so that every byte keeps its mark. A change of letters marks the new letter as the one that it replaces.
struct MarkedText: Sendable {
    private struct Run: Sendable {
        /// One past its last byte.
        var end: Int
        var isTrusted: Bool
    }

    /// Valid UTF-8.
    private(set) var bytes: [UInt8]
    /// Cover the bytes in order; neighbours differ, none is empty.
    private var runs: [Run]

    init() { (bytes, runs) = ([], []) }

    init(_ text: some StringProtocol, isTrusted: Bool) { self.init(validated: Array(text.utf8), isTrusted: isTrusted) }

    init(validated bytes: [UInt8], isTrusted: Bool) {
        self.bytes = bytes
        runs = bytes.isEmpty ? [] : [Run(end: bytes.count, isTrusted: isTrusted)]
    }

    var count: Int { bytes.count }
    var isEmpty: Bool { bytes.isEmpty }
    var string: String { String(decoding: bytes, as: UTF8.self) }

    mutating func append(_ other: MarkedText) {
        let start = bytes.count
        bytes += other.bytes
        for run in other.runs { extend(to: start + run.end, isTrusted: run.isTrusted) }
    }

    mutating func append(_ text: String, isTrusted: Bool) {
        bytes += text.utf8
        extend(to: bytes.count, isTrusted: isTrusted)
    }

    private mutating func extend(to end: Int, isTrusted: Bool) {
        guard end > runs.last?.end ?? 0 else { return }
        if runs.last?.isTrusted == isTrusted { runs[runs.count - 1].end = end } else { runs.append(Run(end: end, isTrusted: isTrusted)) }
    }

    /// - Parameter range: bytes, between whole characters.
    func slice(_ range: Range<Int>) -> MarkedText {
        if range.count == bytes.count { return self }
        var part = MarkedText()
        part.bytes = Array(bytes[range])
        for run in runs[runIndex(at: range.lowerBound)...] {
            part.extend(to: min(run.end, range.upperBound) - range.lowerBound, isTrusted: run.isTrusted)
            if run.end >= range.upperBound { break }
        }
        return part
    }

    /// Whether the byte at an offset is the format's own.
    func isTrusted(at offset: Int) -> Bool { runs[runIndex(at: offset)].isTrusted }

    /// The run that holds a byte; the count of runs past the last byte.
    private func runIndex(at offset: Int) -> Int {
        var (low, high) = (0, runs.count)
        while low < high {
            let middle = (low + high) / 2
            if runs[middle].end > offset { high = middle } else { low = middle + 1 }
        }
        return low
    }

    static func + (left: MarkedText, right: MarkedText) -> MarkedText {
        var sum = left
        sum.append(right)
        return sum
    }

    /// Neighbouring pieces differ in trust; none is empty.
    var pieces: [RenderedPiece] {
        var start = 0
        return runs.map { run in
            defer { start = run.end }
            return RenderedPiece(text: String(decoding: bytes[start..<run.end], as: UTF8.self), isTrusted: run.isTrusted)
        }
    }
}

extension MarkedText: Hashable {
    /// Two texts are equal when their bytes are, whoever wrote them.
    static func == (left: MarkedText, right: MarkedText) -> Bool { left.bytes == right.bytes }
    func hash(into hasher: inout Hasher) { bytes.withUnsafeBytes { hasher.combine(bytes: $0) } }
}

extension MarkedText {
    /// Without white space at its ends, as Python's str.strip().
    func trimmed(start: Bool = true, end: Bool = true) -> MarkedText {
        trimmed(start: start, end: end) { PythonText.isSpace($0) }
    }

    /// Without the characters at its ends for which `drops` is true.
    func trimmed(start: Bool, end: Bool, where drops: (Unicode.Scalar) -> Bool) -> MarkedText {
        var (low, high) = (0, bytes.count)
        while start, low < high {
            let (scalar, length) = PythonText.scalar(bytes, at: low)
            guard drops(scalar) else { break }
            low += length
        }
        while end, low < high {
            let (scalar, length) = PythonText.scalar(bytes, endingAt: high)
            guard drops(scalar) else { break }
            high -= length
        }
        return slice(low..<high)
    }
}
