/// Searching, cutting and replacing, by whole characters.
extension MarkedText {
    func hasPrefix(_ prefix: MarkedText) -> Bool { bytes.starts(with: prefix.bytes) }
    func hasSuffix(_ suffix: MarkedText) -> Bool { bytes.suffix(suffix.count).elementsEqual(suffix.bytes) }

    /// - Parameter limit: cuts at most so many times; negative for no limit.
    func split(by separator: MarkedText, limit: Int, fromEnd: Bool = false) -> [MarkedText] {
        let ranges = fromEnd
            ? ByteSearch.ranges(of: separator.bytes.reversed(), in: bytes.reversed(), limit: limit).reversed().map { count - $0.upperBound..<count - $0.lowerBound }
            : ByteSearch.ranges(of: separator.bytes, in: bytes, limit: limit)
        var parts: [MarkedText] = []
        var start = 0
        for range in ranges {
            parts.append(slice(start..<range.lowerBound))
            start = range.upperBound
        }
        return parts + [slice(start..<count)]
    }

    /// Where a text occurs, by bytes. An empty one occurs everywhere.
    func firstRange(of sought: MarkedText) -> Range<Int>? {
        sought.isEmpty ? 0..<0 : ByteSearch.ranges(of: sought.bytes, in: bytes, limit: 1).first
    }

    func lastRange(of sought: MarkedText) -> Range<Int>? {
        if sought.isEmpty { return count..<count }
        let range = ByteSearch.ranges(of: sought.bytes.reversed(), in: bytes.reversed(), limit: 1).first
        return range.map { count - $0.upperBound..<count - $0.lowerBound }
    }

    /// Words between white space; after `limit` of them, if it is not negative, the rest as it is.
    func words(limit: Int) -> [MarkedText] {
        var words: [MarkedText] = []
        var start = runEnd(from: 0, ofSpace: true)
        while start < count {
            if words.count == limit { return words + [slice(start..<count)] }
            let end = runEnd(from: start, ofSpace: false)
            words.append(slice(start..<end))
            start = runEnd(from: end, ofSpace: true)
        }
        return words
    }

    private func runEnd(from start: Int, ofSpace isSpace: Bool) -> Int {
        var end = start
        while end < count {
            let (scalar, length) = PythonText.scalar(bytes, at: end)
            if PythonText.isSpace(scalar) != isSpace { break }
            end += length
        }
        return end
    }

    /// Pieces between line breaks, as Python's str.splitlines(). Stops after `limit`.
    func lines(keepsEnds: Bool, limit: Int) -> [MarkedText] {
        var lines: [MarkedText] = []
        var (start, offset) = (0, 0)
        while offset < count && lines.count < limit {
            let (scalar, length) = PythonText.scalar(bytes, at: offset)
            var end = offset + length
            switch scalar.value {
            case 0x0A...0x0D, 0x1C...0x1E, 0x85, 0x2028, 0x2029:
                if scalar == "\r", end < count, bytes[end] == 0x0A { end += 1 }
                lines.append(slice(start..<(keepsEnds ? end : offset)))
                start = end
            default: break
            }
            offset = end
        }
        if start < count && lines.count < limit { lines.append(slice(start..<count)) }
        return lines
    }

    /// - Parameter limit: replaces at most so many; negative for no limit.
    func replacing(_ old: MarkedText, with new: MarkedText, limit: Int) -> MarkedText {
        var parts: [MarkedText]
        if old.isEmpty {
            // Before each character and at the end.
            parts = [MarkedText()] + characters.map { $0 } + [MarkedText()]
            if limit >= 0, limit < parts.count - 1 {
                let kept = parts[0...max(limit, 0)]
                parts = kept.dropLast() + [parts[max(limit, 0)...].reduce(MarkedText(), +)]
            }
        } else {
            parts = split(by: old, limit: limit)
        }
        return MarkedText.joined(parts, by: new)
    }

    static func joined(_ parts: [MarkedText], by separator: MarkedText) -> MarkedText {
        var result = MarkedText()
        for (index, part) in parts.enumerated() {
            if index > 0 { result.append(separator) }
            result.append(part)
        }
        return result
    }
}
