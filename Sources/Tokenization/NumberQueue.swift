/// Numbers, the smallest first: a heap of four children each, of which a level fits into few cache lines.
struct NumberQueue {
    private var heap: [UInt64] = []

    mutating func push(_ number: UInt64) {
        heap.append(number)
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 4
            if heap[parent] <= number { break }
            heap[child] = heap[parent]
            child = parent
        }
        heap[child] = number
    }

    mutating func pop() -> UInt64? {
        guard let smallest = heap.first, let last = heap.popLast() else { return nil }
        let count = heap.count
        if count == 0 { return smallest }
        var parent = 0
        while true {
            let first = 4 * parent + 1
            if first >= count { break }
            var child = first
            for other in first + 1 ..< max(min(first + 4, count), first + 1) where heap[other] < heap[child] { child = other }
            if heap[child] >= last { break }
            heap[parent] = heap[child]
            parent = child
        }
        heap[parent] = last
        return smallest
    }
}
