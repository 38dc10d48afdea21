extension Tokenizer {
    /// How far two sequences of tokens spell the same: the longest prefixes of both with equal text. They may differ in how the text is cut
    /// into tokens; a control token is equal to itself alone, never to text that spells it.
    ///
    /// Complexity: linear in what the prefixes spell.
    package func commonText(_ first: some RandomAccessCollection<Int32>, _ second: some RandomAccessCollection<Int32>) -> (first: Int, second: Int) {
        var (best, place) = ((first: 0, second: 0), (first: 0, second: 0))
        // What one of them spells beyond the other.
        var (extra, isFirstAhead) = ([UInt8]()[...], false)
        while true {
            if extra.isEmpty {
                best = place
                guard place.first < first.count, place.second < second.count else { return best }
                let (left, right) = (Self.item(first, place.first), Self.item(second, place.second))
                if left == right {
                    place = (place.first + 1, place.second + 1)
                    continue
                }
                guard let text = spelling(left) else { return best }
                extra = text[...]
                isFirstAhead = true
                place.first += 1
            } else {
                let isDone = isFirstAhead ? place.second >= second.count : place.first >= first.count
                guard !isDone, let text = spelling(isFirstAhead ? Self.item(second, place.second) : Self.item(first, place.first)) else { return best }
                let common = min(text.count, extra.count)
                guard text.prefix(common).elementsEqual(extra.prefix(common)) else { return best }
                if isFirstAhead { place.second += 1 } else { place.first += 1 }
                if text.count > extra.count {
                    extra = text[extra.count...]
                    isFirstAhead.toggle()
                } else {
                    extra = extra.dropFirst(common)
                }
            }
        }
    }

    private static func item(_ ids: some RandomAccessCollection<Int32>, _ offset: Int) -> Int32 { ids[ids.index(ids.startIndex, offsetBy: offset)] }

    /// The bytes that a token stands for in the text; nil for one that is no text.
    private func spelling(_ id: Int32) -> [UInt8]? {
        if let added = addedByID[id], added.isSpecial { return nil }
        switch surface(of: id, .skippingSpecial) {
        case .nothing, .unknown: return nil
        case .byte(let byte): return [byte]
        case .bytes(let text), .text(let text): return text.isEmpty ? nil : Array(text)
        }
    }
}
