/// Splits normalized text into pieces by byte-pair merging.
///
/// Symbols form a doubly linked list and candidate merges a priority queue, so the cost is O(n log n) in the length of the
/// text whatever the text is.
struct BytePairEncoder: Sendable {
    /// Where the order of merges comes from.
    enum MergeOrder: Sendable {
        /// tokenizer.model: two symbols merge when their joint text is a piece; per id, the rank of its score, best first.
        case scores([UInt32])
        /// tokenizer.json: (left id, right id) to (rank, id of the result).
        case ranks(PairTable)
    }

    let vocabulary: Vocabulary
    let order: MergeOrder
    /// A text that is a piece as a whole is taken without merging.
    let takesWholePieces: Bool
    private let userDefined: PieceMatcher
    /// nil when text must be merged in one go.
    private let adjacency: AdjacentCharacters?
    private let producesUnused: Bool

    /// Merges in the order of the pieces' scores.
    init(scored vocabulary: Vocabulary) {
        self.init(vocabulary, order: .scores(Self.ranks(of: vocabulary.scores)), takesWholePieces: false)
    }

    init(_ vocabulary: Vocabulary, order: MergeOrder, takesWholePieces: Bool) {
        self.vocabulary = vocabulary
        self.order = order
        self.takesWholePieces = takesWholePieces
        var matcher = PieceMatcher()
        for id in 0 ..< Int32(vocabulary.count) where vocabulary.kinds[Int(id)] == .userDefined {
            matcher.insert(vocabulary.bytes(of: id), id: id)
        }
        userDefined = matcher
        producesUnused = vocabulary.kinds.contains(.unused)
        // How an unused piece is split again depends on merges anywhere in the text.
        adjacency = producesUnused ? nil : AdjacentCharacters(of: vocabulary)
    }

    private static func ranks(of scores: [Float]) -> [UInt32] {
        let sorted = scores.indices.sorted { scores[$0] > scores[$1] }
        var ranks = [UInt32](repeating: 0, count: scores.count)
        var rank: UInt32 = 0
        for (position, index) in sorted.enumerated() {
            if position > 0, scores[index] != scores[sorted[position - 1]] { rank += 1 }
            ranks[index] = rank
        }
        return ranks
    }

    /// Appends the ids of `text`. Precondition: well-formed UTF-8, spaces already replaced by U+2581.
    func encode(_ text: [UInt8], into ids: inout [Int32]) {
        if text.isEmpty { return }
        if takesWholePieces {
            let id = vocabulary.find(text, 0, text.count)
            if id >= 0 {
                ids.append(id)
                return
            }
        }
        var run = Run(text: text, ids: ids)
        ids = []
        var position = 0
        while position < text.count {
            position = gather(from: position, into: &run)
            merge(&run)
            emit(&run)
        }
        ids = run.ids
    }

    private struct Symbol {
        var start: Int
        /// 0 when merged into the symbol on its left.
        var length: Int32
        /// -1 when the text is no piece.
        var id: Int32
        var previous: Int32
        var next: Int32
    }

    private struct Run {
        let text: [UInt8]
        var ids: [Int32]
        var symbols: [Symbol] = []
        var queue = MergeQueue()
        /// Id of an unused piece to the length of its left part in the last candidate that makes it.
        var splits: [Int32: Int32] = [:]
        var afterUnknown = false
    }

    // MARK: - Gathering

    /// Fills the list with characters up to a place that no piece spans; returns that place.
    private func gather(from start: Int, into run: inout Run) -> Int {
        run.symbols.removeAll(keepingCapacity: true)
        var position = start
        var previousCharacter: UInt32 = 0
        while position < run.text.count, run.symbols.count < Int(Int32.max) {
            if !userDefined.isEmpty, let match = userDefined.longestMatch(in: run.text, at: position) {
                // Frozen: it merges with nothing, so the text is cut on both sides of it.
                if position == start {
                    append(position, match.length, match.id, to: &run)
                    position += match.length
                }
                break
            }
            let length = max(UTF8Scanning.announcedLength(run.text[position]), 1)
            let character = UTF8Scanning.packedCharacter(run.text, at: position, length: length)
            if position > start, let adjacency, !adjacency.mayContain(previousCharacter, character) { break }
            let id = vocabulary.find(run.text, position, position + length)
            append(position, length, id >= 0 && vocabulary.kinds[Int(id)].comesFromText ? id : -1, to: &run)
            previousCharacter = character
            position += length
        }
        return position
    }

    private func append(_ start: Int, _ length: Int, _ id: Int32, to run: inout Run) {
        let index = Int32(run.symbols.count)
        if index > 0 { run.symbols[Int(index) - 1].next = index }
        run.symbols.append(Symbol(start: start, length: Int32(length), id: id, previous: index - 1, next: -1))
    }

    // MARK: - Merging

    private func merge(_ run: inout Run) {
        for index in 1 ..< max(run.symbols.count, 1) { propose(index - 1, index, &run) }
        while let best = run.queue.pop() {
            let left = best.left, right = Int(best.right)
            let leftLength = run.symbols[left].length, rightLength = run.symbols[right].length
            if leftLength == 0 || rightLength == 0 || leftLength + rightLength != best.size { continue }
            run.symbols[left].length = best.size
            run.symbols[left].id = best.id
            run.symbols[right].length = 0
            let next = run.symbols[right].next
            run.symbols[left].next = next
            if next >= 0 {
                run.symbols[Int(next)].previous = Int32(left)
                propose(left, Int(next), &run)
            }
            let previous = run.symbols[left].previous
            if previous >= 0 { propose(Int(previous), left, &run) }
        }
    }

    private func propose(_ left: Int, _ right: Int, _ run: inout Run) {
        let first = run.symbols[left], second = run.symbols[right]
        let size = Int(first.length) + Int(second.length)
        let rank: UInt32, id: Int32
        switch order {
        case .scores(let ranks):
            if size > vocabulary.longestPiece { return }
            id = vocabulary.find(run.text, first.start, first.start + size)
            if id < 0 || !vocabulary.kinds[Int(id)].comesFromText { return }
            rank = ranks[Int(id)]
        case .ranks(let table):
            if first.id < 0 || second.id < 0 { return }
            guard let merge = table[PairTable.key(first.id, second.id)] else { return }
            rank = UInt32(bitPattern: merge.first)
            id = merge.second
        }
        if producesUnused, vocabulary.kinds[Int(id)] == .unused { run.splits[id] = first.length }
        let key = UInt64(rank) << 32 | UInt64(left)
        run.queue.push(.init(key: key, right: Int32(right), id: id, size: Int32(size)))
    }

    // MARK: - Emitting

    private func emit(_ run: inout Run) {
        var index = run.symbols.isEmpty ? -1 : 0
        while index >= 0 {
            let symbol = run.symbols[index]
            if symbol.id >= 0, vocabulary.kinds[Int(symbol.id)] != .unused {
                run.ids.append(symbol.id)
                run.afterUnknown = false
            } else {
                split(symbol.start, Int(symbol.length), &run)
            }
            index = Int(symbol.next)
        }
    }

    /// Undoes the merges that made an unused piece, until what is left is in use.
    private func split(_ start: Int, _ length: Int, _ run: inout Run) {
        var waiting = [(start, length)]
        while let (start, length) = waiting.popLast() {
            let id = vocabulary.find(run.text, start, start + length)
            if id >= 0, vocabulary.kinds[Int(id)] == .unused, let left = run.splits[id], left > 0, left < length {
                waiting.append((start + Int(left), length - Int(left)))
                waiting.append((start, Int(left)))
            } else if id >= 0, vocabulary.kinds[Int(id)].comesFromText {
                run.ids.append(id)
                run.afterUnknown = false
            } else {
                emitUnknown(start, length, &run)
            }
        }
    }

    private func emitUnknown(_ start: Int, _ length: Int, _ run: inout Run) {
        if vocabulary.hasAllBytes {
            for position in start ..< start + length { run.ids.append(vocabulary.byteIDs[Int(run.text[position])]) }
        } else {
            // Neighbouring unknown characters become one token.
            if !run.afterUnknown { run.ids.append(vocabulary.unknownID) }
            run.afterUnknown = true
        }
    }
}
