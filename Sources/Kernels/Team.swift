import CKernels
import Glibc
import Synchronization

/// What the threads of a pool share: the job, a barrier, and counters by which a phase's work is divided. Copied without counting
/// references; the memory belongs to the `WorkerPool`.
///
/// A job runs on all threads; inside it, phases are divided by `share` and kept apart by `barrier`, in the same order on every thread.
package struct Team: @unchecked Sendable {  // Safe: the job is written before `generation` is released and read after it is acquired; the rest is atomic or constant.
    package typealias Job = @convention(c) (_ context: UnsafeMutableRawPointer, _ thread: Int) -> Void

    package let threads: Int
    private let posted: UnsafeMutablePointer<Posted>
    /// One cache line each, so that threads do not disturb each other.
    private let lines: UnsafeMutableRawPointer
    private let lineCount: Int
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let wakeUp: UnsafeMutablePointer<pthread_cond_t>

    private struct Posted {
        var job: Job
        var context: UnsafeMutableRawPointer?
    }
    private static let lineBytes = 128
    /// Rounds of spinning before a thread goes to sleep: 50 to 100 microseconds.
    private static let spins = 2000
    private enum Line { static let generation = 0, unfinished = 1, arrived = 2, sense = 3, sleepers = 4, stopping = 5, counters = 6 }

    init(threads: Int) {
        self.threads = threads
        posted = .allocate(capacity: 1)
        posted.initialize(to: Posted(job: { _, _ in }, context: nil))
        lineCount = Line.counters + 2 * threads
        lines = .allocate(byteCount: lineCount * Self.lineBytes, alignment: Self.lineBytes)
        mutex = .allocate(capacity: 1)
        wakeUp = .allocate(capacity: 1)
        for index in 0..<lineCount { atomic(index).initialize(to: Atomic(0)) }
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(wakeUp, nil)
    }

    func deallocate() {
        pthread_cond_destroy(wakeUp)
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
        wakeUp.deallocate()
        lines.deallocate()
        posted.deallocate()
    }

    @inline(__always)
    private func atomic(_ line: Int) -> UnsafeMutablePointer<Atomic<Int>> {
        (lines + line * Self.lineBytes).assumingMemoryBound(to: Atomic<Int>.self)
    }
    @inline(__always)
    private func counter(_ slot: Int, _ thread: Int) -> UnsafeMutablePointer<Atomic<Int>> { atomic(Line.counters + slot * threads + thread) }

    // MARK: Jobs

    func run(_ context: UnsafeMutableRawPointer, _ job: Job) {
        for index in Line.counters..<lineCount { atomic(index).pointee.store(0, ordering: .relaxed) }
        guard threads > 1 else { return job(context, 0) }
        posted.pointee = Posted(job: job, context: context)
        atomic(Line.unfinished).pointee.store(threads - 1, ordering: .relaxed)
        atomic(Line.generation).pointee.add(1, ordering: .sequentiallyConsistent)
        wakeSleepers()
        job(context, 0)
        wait(Line.unfinished) { $0 == 0 }
    }

    func work(_ index: Int) {
        var seen = 0
        while true {
            wait(Line.generation) { $0 != seen || atomic(Line.stopping).pointee.load(ordering: .relaxed) != 0 }
            if atomic(Line.generation).pointee.load(ordering: .acquiring) == seen { return }
            seen += 1
            posted.pointee.job(posted.pointee.context!, index)
            if atomic(Line.unfinished).pointee.subtract(1, ordering: .sequentiallyConsistent).newValue == 0 { wakeSleepers() }
        }
    }

    func stop() {
        atomic(Line.stopping).pointee.store(1, ordering: .sequentiallyConsistent)
        wakeSleepers()
    }

    // MARK: Inside a job

    /// Returns when every thread of the job has called it. Sense-reversing: the last one to arrive turns the sense.
    package func barrier() {
        guard threads > 1 else { return }
        let sense = atomic(Line.sense).pointee.load(ordering: .relaxed)
        if atomic(Line.arrived).pointee.add(1, ordering: .acquiringAndReleasing).newValue == threads {
            atomic(Line.arrived).pointee.store(0, ordering: .relaxed)
            atomic(Line.sense).pointee.store(sense + 1, ordering: .sequentiallyConsistent)
            wakeSleepers()
        } else {
            wait(Line.sense) { $0 != sense }
        }
    }

    /// Calls `body` for ranges that together, over all threads, cover 0 ..< count. Each thread owns a fixed part, for the sake of its caches
    /// and memory node, and takes `chunk` at a time; who is done helps the others in smaller steps, since a core of a shared machine may
    /// vanish for milliseconds.
    ///
    /// `phase` counts the calls in a job and is the same on every thread; a barrier stands between two calls.
    @inline(__always)
    package func share(_ count: Int, chunk: Int, phase: inout Int, thread: Int, _ body: (Range<Int>) -> Void) {
        let slot = phase & 1
        phase += 1
        if threads == 1 {
            if count > 0 { body(0..<count) }
            return
        }
        // Nobody uses the other slot now: its phase ended before the last barrier, the next begins after the coming one.
        counter(1 - slot, thread).pointee.store(0, ordering: .relaxed)
        for step in 0..<threads {
            let owner = thread + step < threads ? thread + step : thread + step - threads
            let lower = count * owner / threads, upper = count * (owner + 1) / threads
            let size = step == 0 ? chunk : max(1, chunk / 4)
            while true {
                let start = lower + counter(slot, owner).pointee.add(size, ordering: .relaxed).oldValue
                if start >= upper { break }
                body(start..<min(start + size, upper))
            }
        }
    }

    // MARK: Waiting

    @inline(__always)
    private func wait(_ line: Int, until isDone: (Int) -> Bool) {
        var rounds = 0
        while !isDone(atomic(line).pointee.load(ordering: .acquiring)) {
            ck_pause()
            rounds += 1
            if rounds > Self.spins {
                sleep(line, until: isDone)
                return
            }
        }
    }

    /// A sleeper counts itself before it looks a last time, and who changes a line looks for sleepers afterwards: one of the two sees the other.
    private func sleep(_ line: Int, until isDone: (Int) -> Bool) {
        pthread_mutex_lock(mutex)
        atomic(Line.sleepers).pointee.add(1, ordering: .sequentiallyConsistent)
        while !isDone(atomic(line).pointee.load(ordering: .sequentiallyConsistent)) { pthread_cond_wait(wakeUp, mutex) }
        atomic(Line.sleepers).pointee.subtract(1, ordering: .sequentiallyConsistent)
        pthread_mutex_unlock(mutex)
    }

    private func wakeSleepers() {
        guard atomic(Line.sleepers).pointee.load(ordering: .sequentiallyConsistent) > 0 else { return }
        pthread_mutex_lock(mutex)
        pthread_cond_broadcast(wakeUp)
        pthread_mutex_unlock(mutex)
    }
}
