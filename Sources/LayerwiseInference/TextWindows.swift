/// How a text becomes windows. Protocol of the field (llama.cpp's perplexity tool): the text is cut into windows of `size` tokens, the
/// first of each replaced by the begin token; the first half is context, the last size - size / 2 - 1 predictions count; the remainder of
/// the text is dropped.
package struct TextWindows: Sendable, Equatable {
    package let size: Int
    /// Windows that the whole text has.
    package let available: Int
    /// Tokens of each chosen window.
    package let windows: [[Int32]]

    package static let standardSize = 512

    /// - Parameters:
    ///   - ids: the whole text's tokens, begin token included where the model wants one.
    ///   - limit: take that many windows, spread evenly over the text; nil takes all.
    package init(ids: [Int32], begin: Int32?, limit: Int? = nil, size: Int = Self.standardSize) {
        precondition(size >= 4 && limit ?? 1 >= 1, "windows of \(size), \(limit ?? 0) of them")
        self.size = size
        let available = ids.count / size
        self.available = available
        let count = min(available, limit ?? .max)
        windows = (0..<count).map { index in
            // The middle of the index-th of `count` equal parts.
            let window = (2 * index + 1) * available / (2 * count)
            var tokens = Array(ids[window * size..<(window + 1) * size])
            if let begin { tokens[0] = begin }
            return tokens
        }
    }

    /// Positions whose prediction of the next token counts.
    package var scored: Range<Int> { size / 2..<size - 1 }
}
