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
        /// Bytes; 0 when merged into the symbol on its left.
        var length: Int32
        var id: Int32
        var previous: Int32
        var next: Int32
    }

    /// Kept from word to word, so that a word allocates nothing.
    private struct Workspace {
        var symbols: [Symbol] = []
        var queue = MergeQueue()
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
                length: 1, id: byteIDs[Int(text[start + index])], previous: Int32(index) - 1, next: index + 1 < count ? Int32(index) + 1 : -1))
        }
        for index in 1 ..< max(count, 1) { propose(index - 1, index, &workspace) }
        while let best = workspace.queue.pop() {
            let left = best.left, right = Int(best.right)
            let leftLength = workspace.symbols[left].length, rightLength = workspace.symbols[right].length
            // Symbols only grow, so the same size means the same symbols.
            if leftLength == 0 || rightLength == 0 || leftLength + rightLength != best.size { continue }
            workspace.symbols[left].length = best.size
            workspace.symbols[left].id = best.id
            workspace.symbols[right].length = 0
            let next = workspace.symbols[right].next
            workspace.symbols[left].next = next
            if next >= 0 {
                workspace.symbols[Int(next)].previous = Int32(left)
                propose(left, Int(next), &workspace)
            }
            let previous = workspace.symbols[left].previous
            if previous >= 0 { propose(Int(previous), left, &workspace) }
        }
        var index = 0
        while index >= 0, index < count {
            ids.append(workspace.symbols[index].id)
            index = Int(workspace.symbols[index].next)
        }
    }

    private func propose(_ left: Int, _ right: Int, _ workspace: inout Workspace) {
        let first = workspace.symbols[left], second = workspace.symbols[right]
        guard let merge = merges[first.id, second.id] else { return }
        workspace.queue.push(.init(
            key: UInt64(UInt32(bitPattern: merge.rank)) << 32 | UInt64(left), right: Int32(right), id: merge.result,
            size: first.length + second.length))
    }
}
