/// Finds bytes in bytes in linear time, whatever they are (Knuth, Morris and Pratt).
enum ByteSearch {
    /// Occurrences that do not overlap, from left to right.
    ///
    /// - Parameters:
    ///   - sought: not empty.
    ///   - limit: at most so many; negative for all.
    static func ranges(of sought: [UInt8], in bytes: [UInt8], limit: Int) -> [Range<Int>] {
        // borders[n]: the longest proper prefix of the first n bytes that is also their end.
        var borders = [0, 0]
        borders.reserveCapacity(sought.count + 1)
        var border = 0
        for byte in sought.dropFirst() {
            while border > 0 && sought[border] != byte { border = borders[border] }
            if sought[border] == byte { border += 1 }
            borders.append(border)
        }
        var ranges: [Range<Int>] = []
        var matched = 0
        for (index, byte) in bytes.enumerated() {
            if ranges.count == limit { break }
            while matched > 0 && sought[matched] != byte { matched = borders[matched] }
            if sought[matched] == byte { matched += 1 }
            if matched == sought.count {
                ranges.append(index + 1 - matched..<index + 1)
                matched = 0
            }
        }
        return ranges
    }
}
