/// Finds the longest of a set of texts that begins at a given place.
///
/// Complexity: one table lookup per byte of the match.
struct PieceMatcher: Sendable {
    struct Match: Sendable, Equatable {
        var id: Int32
        var length: Int
    }

    /// A trie: (node, byte) to (next node, id or -1). The root is node 0.
    private var edges: PairTable
    private var nodeCount: Int32 = 1
    private var canBegin = [Bool](repeating: false, count: 256)
    private(set) var isEmpty = true

    init() {
        edges = PairTable(expecting: 0)
    }

    /// A text inserted twice keeps its first id. Precondition: `text` is not empty.
    mutating func insert(_ text: some Collection<UInt8>, id: Int32) {
        var node: Int32 = 0
        var lastKey: UInt64?
        for byte in text {
            if node == 0 && lastKey == nil { canBegin[Int(byte)] = true }
            let key = Self.key(node, byte)
            if let edge = edges[key] {
                node = edge.first
            } else {
                edges.insert(key, .init(first: nodeCount, second: -1))
                node = nodeCount
                nodeCount += 1
            }
            lastKey = key
        }
        guard let lastKey, let edge = edges[lastKey] else { preconditionFailure("an empty text cannot be matched") }
        if edge.second < 0 { edges.insert(lastKey, .init(first: edge.first, second: id)) }
        isEmpty = false
    }

    func longestMatch(in bytes: [UInt8], at start: Int) -> Match? {
        longestMatch(in: bytes, from: start, to: bytes.count)
    }

    /// Of the texts that end at or before `end`.
    func longestMatch(in bytes: [UInt8], from start: Int, to end: Int) -> Match? {
        if !canBegin[Int(bytes[start])] { return nil }
        var node: Int32 = 0
        var longest: Match?
        var position = start
        while position < end, let edge = edges[Self.key(node, bytes[position])] {
            node = edge.first
            position += 1
            if edge.second >= 0 { longest = Match(id: edge.second, length: position - start) }
        }
        return longest
    }

    private static func key(_ node: Int32, _ byte: UInt8) -> UInt64 { UInt64(UInt32(bitPattern: node)) << 8 | UInt64(byte) }
}
