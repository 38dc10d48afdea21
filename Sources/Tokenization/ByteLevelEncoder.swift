/// Text to ids by merging the bytes of words. Authority: `Formats/Tokenizers.md`, section 1.
///
/// Symbols form a doubly linked list and candidate merges a priority queue, so the cost is O(n log n) in the length of the
/// longest word and linear in the number of words, whatever the text is.
struct ByteLevelEncoder: Sendable {
    let vocabulary: Vocabulary
    private let merges: MergeTable
    private let takesWholeWords: Bool
    /// Tokens of the vocabulary that text never becomes. No merge makes them.
    private let specials: Set<Int32>
    /// Id of the token that is this one byte.
    private let byteIDs: [Int32]

    init(_ model: ByteLevelModel, specials: Set<Int32>) {
        let vocabulary = model.vocabulary
        self.vocabulary = vocabulary
        merges = model.table
        takesWholeWords = model.takesWholeWords
        self.specials = specials
        byteIDs = (0 ... 255).map { byte in
            guard let id = vocabulary.id(of: [UInt8(byte)]) else { preconditionFailure("byte \(byte) is no token") }
            return id
        }
    }

    private struct Symbol {
        /// -1 when merged into the symbol on its left.
        var id: Int32
        var previous: Int32
        var next: Int32
        /// Of the merge with the next symbol; `Int32.max` when there is none.
        var rank = Int32.max
        /// The token that it makes.
        var result: Int32 = -1
    }

    /// Kept from word to word, so that a word allocates nothing.
    private struct Workspace {
        var symbols: [Symbol] = []
        /// Rank in the upper half, place of the left symbol in the lower, so that ties go left.
        var queue = NumberQueue()
    }

    /// A word longer than this is merged in parts; the queue's numbers have no room for more.
    private static let longestWord = 1 << 30

    /// Appends the ids of `text`. Precondition: well-formed UTF-8.
    func encode(_ text: [UInt8], into ids: inout [Int32]) {
        let splitter = Llama3Splitter(text)
        var workspace = Workspace()
        var start = 0
        while start < text.count {
            let end = splitter.wordEnd(from: start)
            let isShort = takesWholeWords && end - start <= vocabulary.longestPiece
            let whole = isShort ? vocabulary.find(text, start, end) : -1
            if whole >= 0, specials.isEmpty || !specials.contains(whole) {
                ids.append(whole)
            } else {
                for part in stride(from: start, to: end, by: Self.longestWord) {
                    merge(text, part, min(part + Self.longestWord, end), &workspace, &ids)
                }
            }
            start = end
        }
    }

    private func merge(_ text: [UInt8], _ start: Int, _ end: Int, _ workspace: inout Workspace, _ ids: inout [Int32]) {
        let count = end - start
        workspace.symbols.removeAll(keepingCapacity: true)
        for index in 0 ..< count {
            workspace.symbols.append(Symbol(
                id: byteIDs[Int(text[start + index])], previous: Int32(index) - 1, next: index + 1 < count ? Int32(index) + 1 : -1))
        }
        for index in 0 ..< count { propose(index, &workspace) }
        while let key = workspace.queue.pop() {
            let left = Int(key & 0xFFFF_FFFF)
            let symbol = workspace.symbols[left]
            // Symbols only grow, so a pair that has this rank is the one that was proposed.
            if symbol.id < 0 || symbol.rank != Int32(truncatingIfNeeded: key >> 32) { continue }
            let right = Int(symbol.next)
            let next = workspace.symbols[right].next
            workspace.symbols[right].id = -1
            workspace.symbols[left].id = symbol.result
            workspace.symbols[left].next = next
            if next >= 0 { workspace.symbols[Int(next)].previous = Int32(left) }
            propose(left, &workspace)
            if symbol.previous >= 0 { propose(Int(symbol.previous), &workspace) }
        }
        var index = 0
        while index >= 0, index < count {
            ids.append(workspace.symbols[index].id)
            index = Int(workspace.symbols[index].next)
        }
    }

    /// Looks up the merge of a symbol with the one after it.
    private func propose(_ left: Int, _ workspace: inout Workspace) {
        let next = workspace.symbols[left].next
        guard next >= 0, let merge = merges[workspace.symbols[left].id, workspace.symbols[Int(next)].id] else {
            workspace.symbols[left].rank = .max
            return
        }
        workspace.symbols[left].rank = merge.rank
        workspace.symbols[left].result = merge.result
        workspace.queue.push(UInt64(UInt32(bitPattern: merge.rank)) << 32 | UInt64(left))
    }
}
