/// Merges by their left and right token. Sorted lists instead of a hash table: building it is two linear passes, equal pairs are
/// neighbours, and no choice of pairs in a file makes it slow.
///
/// Complexity: lookup O(log n) in the number of merges with one left token, for single bytes mostly O(1).
struct MergeTable: Sendable {
    struct Merge: Sendable, Equatable {
        var left: Int32
        var right: Int32
        var result: Int32
    }

    private struct Entry: Sendable {
        var right: Int32
        var rank: Int32
        var result: Int32
    }

    private let entries: [Entry]
    /// Where the merges with this left token end.
    private let ends: [Int32]

    /// - Parameter merges: in order, first first; ids in 0 ..< tokenCount.
    init(_ merges: [Merge], tokenCount: Int) {
        let byRight = Self.order(merges.indices.map { Int32($0) }, tokenCount) { merges[Int($0)].right }.order
        let (order, ends) = Self.order(byRight, tokenCount) { merges[Int($0)].left }
        entries = order.map { Entry(right: merges[Int($0)].right, rank: $0, result: merges[Int($0)].result) }
        self.ends = ends
    }

    /// Counting sort, stable; also where each key's items end.
    private static func order(_ items: [Int32], _ keyCount: Int, by key: (Int32) -> Int32) -> (order: [Int32], ends: [Int32]) {
        var ends = [Int32](repeating: 0, count: keyCount + 1)
        for item in items { ends[Int(key(item)) + 1] += 1 }
        for index in 1 ..< ends.count { ends[index] += ends[index - 1] }
        // Each key's start moves up to its end.
        var order = [Int32](repeating: 0, count: items.count)
        for item in items {
            let position = Int(key(item))
            order[Int(ends[position])] = item
            ends[position] += 1
        }
        ends.removeLast()
        return (order, ends)
    }

    /// Ranks of two merges of the same pair, if there are such.
    var duplicate: (first: Int, second: Int)? {
        var left = 0
        for index in entries.indices.dropFirst() {
            while left < ends.count, Int(ends[left]) < index { left += 1 }
            if Int(ends[left]) > index, entries[index].right == entries[index - 1].right {
                return (Int(entries[index - 1].rank), Int(entries[index].rank))
            }
        }
        return nil
    }

    subscript(left: Int32, right: Int32) -> (rank: Int32, result: Int32)? {
        var low = left == 0 ? 0 : Int(ends[Int(left) - 1])
        let end = Int(ends[Int(left)])
        var high = end
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].right < right { low = middle + 1 } else { high = middle }
        }
        guard low < end, entries[low].right == right else { return nil }
        return (entries[low].rank, entries[low].result)
    }
}
