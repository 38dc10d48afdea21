import Glibc
import Kernels
import Synchronization
import TestSupport
import Testing

/// Counts per chunk, without locks so that a chunk done twice at once shows.
private final class Counters: Sendable {
    private let memory: GuardedMemory
    let count: Int

    init(_ count: Int) {
        self.count = count
        memory = GuardedMemory(count: count * MemoryLayout<Atomic<Int>>.stride)
        for index in 0..<count { pointer(index).initialize(to: Atomic(0)) }
    }

    private func pointer(_ index: Int) -> UnsafeMutablePointer<Atomic<Int>> { memory.base.assumingMemoryBound(to: Atomic<Int>.self) + index }
    func bump(_ index: Int) { pointer(index).pointee.add(1, ordering: .relaxed) }
    func value(_ index: Int) -> Int { pointer(index).pointee.load(ordering: .relaxed) }
    var values: [Int] { (0..<count).map(value) }
}

@Suite struct WorkerPoolTests {
    @Test(arguments: 1...8)
    func everyIndexIsDoneOnce(threads: Int) {
        let pool = WorkerPool(threads: threads)
        for count in [0, 1, 2, 7, 8, 9, 100, 1001] {
            for chunk in [1, 3, 8, 5000] {
                let counters = Counters(count)
                pool.forEachChunk(of: count, chunk: chunk) { range, thread in
                    #expect(thread >= 0 && thread < threads && !range.isEmpty)
                    for index in range { counters.bump(index) }
                }
                #expect(counters.values.allSatisfy { $0 == 1 }, "\(count) by \(chunk)")
            }
        }
    }

    @Test(arguments: 1...8)
    func everyThreadRunsOnce(threads: Int) {
        let pool = WorkerPool(threads: threads)
        let counters = Counters(threads)
        for _ in 0..<100 { pool.run { counters.bump($0) } }
        #expect(counters.values == [Int](repeating: 100, count: threads))
    }

    /// Many short jobs in a row; each sees what the one before wrote.
    @Test(arguments: [2, 3, 4])
    func manyRunsInARow(threads: Int) {
        let pool = WorkerPool(threads: threads)
        let rounds = 10_000
        let counters = Counters(8)
        var wrong = 0
        for round in 0..<rounds {
            pool.forEachChunk(of: 8, chunk: 1) { range, _ in
                for index in range where counters.value((index + 1) % 8) >= round { counters.bump(index) }
            }
            if counters.values.contains(where: { $0 != round + 1 }) { wrong += 1 }
        }
        #expect(wrong == 0)
    }

    @Test func sleepersWake() {
        let pool = WorkerPool(threads: 3)
        let counters = Counters(3)
        for round in 1...20 {
            usleep(round % 2 == 0 ? 5_000 : 30_000)  // far past the spinning
            pool.run { counters.bump($0) }
            #expect(counters.values == [round, round, round])
        }
    }

    @Test func poolsGoAwayWithTheirThreads() {
        for round in 0..<200 {
            weak var gone: WorkerPool?
            do {
                let pool = WorkerPool(threads: 1 + round % 8)
                gone = pool
                if round % 3 > 0 { pool.run { _ in } }
                if round % 7 == 0 { usleep(2_000) }
            }
            #expect(gone == nil)
        }
    }
}
