import Kernels
import Synchronization

extension CheckpointModel {
    /// Threads together take no more scratch memory than this.
    private static let samplingMemory = 160 << 20

    /// What `body` makes of the tensors at the positions `wanted`, each on one of at most `threads` threads.
    ///
    /// - Parameters:
    ///   - scratch: bytes that `body` needs for a tensor.
    /// - Returns: results by position. Their order of making changes nothing.
    /// - Throws: the first error of `body`.
    func sampled<Result: Sendable>(
        _ wanted: [Int], threads: Int, scratch: (Tensor) -> Int, _ body: (Int) throws -> Result
    ) throws -> [Int: Result] {
        let found = Mutex<(results: [Int: Result], failure: (any Error)?)>(([:], nil))
        let next = Atomic(0)
        let largest = wanted.map { scratch(tensors[$0]) }.max() ?? 1
        WorkerPool(threads: max(1, min(threads, wanted.count, Self.samplingMemory / largest))).run { _ in
            while true {
                let place = next.add(1, ordering: .relaxed).oldValue
                guard place < wanted.count else { return }
                do {
                    let result = try body(wanted[place])
                    found.withLock { $0.results[wanted[place]] = result }
                } catch { found.withLock { $0.failure = $0.failure ?? error } }
            }
        }
        let (results, failure) = found.withLock { $0 }
        if let failure { throw failure }
        return results
    }
}
