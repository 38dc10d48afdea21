/// Candidates for merging, best first: a binary heap whose order is one number.
struct MergeQueue {
    struct Candidate {
        /// Upper half: rank of the merge, smaller is better; lower half: place of the left symbol, so that ties go left.
        var key: UInt64
        var right: Int32
        /// Id of the piece that the merge makes.
        var id: Int32
        /// Its length in bytes; tells a candidate whose symbols have changed since.
        var size: Int32

        var left: Int { Int(key & 0xFFFF_FFFF) }
    }

    private var heap: [Candidate] = []

    mutating func push(_ candidate: Candidate) {
        heap.append(candidate)
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            if heap[parent].key <= candidate.key { break }
            heap[child] = heap[parent]
            child = parent
        }
        heap[child] = candidate
    }

    mutating func pop() -> Candidate? {
        guard let best = heap.first, let last = heap.popLast() else { return nil }
        let count = heap.count
        if count == 0 { return best }
        var parent = 0
        while true {
            var child = 2 * parent + 1
            if child >= count { break }
            if child + 1 < count, heap[child + 1].key < heap[child].key { child += 1 }
            if heap[child].key >= last.key { break }
            heap[parent] = heap[child]
            parent = child
        }
        heap[parent] = last
        return best
    }
}
