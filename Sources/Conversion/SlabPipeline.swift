import ByteStorage
import Kernels
import ModelFiles
import Quantization
import Tensors

/// Reads shards from first byte to last, each byte once, and works on them with several threads.
///
/// Readers fill slots; workers take, in this order of preference, the next slot of a shard for its digest, which is a
/// chain, or the next slot to process, which can be done in any order. Stored bytes and error sums are put together in
/// the order of the tensor by whichever worker completes the next piece, so results do not depend on the threads. A slot
/// is free again when both are done; their number bounds the memory.
final class SlabPipeline: @unchecked Sendable {
    // Safe: `state` is used inside `monitor` only; a slot belongs to one thread, or to two that only read its source.

    struct Progress: Sendable {
        var bytes: UInt64
        var total: UInt64
    }

    final class Slot {
        let source: UnsafeMutableRawBufferPointer
        let stored: UnsafeMutableRawBufferPointer
        var slab = Slab(shard: 0, offset: 0, bytes: 0, endsShard: false)
        var sequence = 0
        var sums: [ErrorSums] = []
        /// Digest of the source, and processing.
        var unfinished = 0

        init(sourceBytes: Int, storedBytes: Int) {
            source = .allocate(byteCount: max(sourceBytes, SlabTensor.targetBytes), alignment: 4096)
            stored = .allocate(byteCount: max(storedBytes, 1), alignment: 4096)
        }

        deinit {
            source.deallocate()
            stored.deallocate()
        }

        var sourceBytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: source[..<slab.bytes]) }
    }

    /// The digest chain of a shard.
    final class ShardChain {
        var waiting: [Slot] = []
        var isBusy = false
        var digest = StreamingDigest()
    }

    /// A tensor on its way to its digest and its sums.
    final class TensorChain {
        var waiting: [Int: Slot] = [:]
        var next = 0
        var isBusy = false
        var digest = StreamingDigest()
        var sums = ErrorSums()
    }

    struct State {
        var free: [Slot] = []
        var toProcess: [Slot] = []
        var shards: [ShardChain] = []
        var tensors: [TensorChain] = []
        var nextShard = 0
        var nextSequence = 0
        var readers = 0
        /// Slots that are not free.
        var inUse = 0
        var bytesDone: UInt64 = 0
        var failure: (sequence: Int, error: any Error)?
        var isOver: Bool { readers == 0 && inUse == 0 }
    }

    let files: [ReadableFile]
    let tensors: [SlabTensor]
    let work: any SlabWork
    let kernels: KernelSet
    let limits: PipelineLimits
    let dropsCache: Bool
    let monitor = Monitor()
    var state = State()

    init(files: [ReadableFile], tensors: [SlabTensor], work: any SlabWork, kernels: KernelSet, limits: PipelineLimits, dropsCache: Bool) {
        self.files = files
        self.tensors = tensors
        self.work = work
        self.kernels = kernels
        self.limits = limits
        self.dropsCache = dropsCache
        state.shards = files.map { _ in ShardChain() }
        state.tensors = tensors.map { _ in TensorChain() }
        state.readers = limits.readers
        let (source, stored) = (limits.slotSourceBytes, limits.slotStoredBytes)
        state.free = (0..<limits.slots).map { _ in Slot(sourceBytes: source, storedBytes: stored) }
    }

    /// Works until everything is done, or until the first failure and all that comes before it. `progress` is called on
    /// the calling thread, several times a second.
    func run(progress: (Progress) -> Void) throws {
        let total = files.reduce(0) { $0 + $1.size }
        let pool = WorkerPool(threads: 1 + limits.readers + limits.workers)
        pool.run { thread in
            if thread == 0 {
                report(total, progress)
            } else if thread <= limits.readers {
                read()
            } else {
                processSlots()
            }
        }
        if let failure = state.failure { throw failure.error }
    }

    private func report(_ total: UInt64, _ progress: (Progress) -> Void) {
        while true {
            let (bytes, isOver) = monitor.locked { () -> (UInt64, Bool) in
                if !state.isOver { monitor.wait(milliseconds: 100) }
                return (state.bytesDone, state.isOver)
            }
            progress(Progress(bytes: bytes, total: total))
            if isOver { return }
        }
    }

    // MARK: Failure

    /// Of several failures the one that stands first in the source counts.
    func fail(_ error: any Error, at sequence: Int) {
        monitor.locked {
            if state.failure.map({ sequence < $0.sequence }) ?? true { state.failure = (sequence, error) }
            // What waits for an earlier slab would wait for ever.
            for chain in state.tensors { discard(chain) }
            monitor.notify()
        }
    }

    /// After a failure nothing is put together any more. Call inside the monitor.
    func discard(_ chain: TensorChain) {
        for slot in chain.waiting.values { release(slot) }
        chain.waiting = [:]
    }

    /// Call inside the monitor.
    func release(_ slot: Slot) {
        slot.unfinished -= 1
        guard slot.unfinished == 0 else { return }
        state.bytesDone += UInt64(slot.slab.bytes)
        state.inUse -= 1
        state.free.append(slot)
        monitor.notify()
    }
}
