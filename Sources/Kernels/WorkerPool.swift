import CKernels
import Glibc
import Synchronization

/// The compute threads. They wait for a job by spinning briefly, then asleep; the caller works as thread 0.
///
/// *Threads*: one caller at a time.
package final class WorkerPool: @unchecked Sendable {  // Safe: `shared` is; the handles do not change after init.
    package let threads: Int
    private let shared = Shared()
    private var handles: [pthread_t] = []

    /// Rounds of spinning before a worker goes to sleep: some 50 microseconds.
    private static let spins = 2000

    package init(threads: Int) {
        precondition(threads >= 1, "a pool needs a thread")
        self.threads = threads
        for index in 1..<max(threads, 1) {
            let start = Unmanaged.passRetained(Start(shared: shared, index: index))
            var handle = pthread_t()
            let code = pthread_create(&handle, nil, { argument in
                let start = Unmanaged<Start>.fromOpaque(argument!).takeRetainedValue()
                start.shared.work(start.index)
                return nil
            }, start.toOpaque())
            precondition(code == 0, "cannot start a thread: error \(code)")
            handles.append(handle)
        }
    }

    deinit {
        shared.stop()
        for handle in handles { pthread_join(handle, nil) }
    }

    private final class Start {
        let shared: Shared
        let index: Int
        init(shared: Shared, index: Int) { (self.shared, self.index) = (shared, index) }
    }

    /// Runs `body` once on every thread, with the thread's index, and returns when all are done.
    package func run(_ body: (Int) -> Void) {
        guard threads > 1 else { return body(0) }
        withoutActuallyEscaping(body) { body in
            // Safe: run returns only after every worker has left the closure.
            shared.run(unsafeBitCast(body, to: (@Sendable (Int) -> Void).self), workers: threads - 1)
        }
    }

    /// Calls `body` for chunks that together cover 0 ..< count, on whichever thread is free. One thread gets all at once.
    package func forEachChunk(of count: Int, chunk: Int, _ body: (Range<Int>, _ thread: Int) -> Void) {
        precondition(count >= 0 && chunk > 0, "count \(count), chunk \(chunk)")
        if count <= chunk || threads == 1 {
            if count > 0 { body(0..<count, 0) }
            return
        }
        shared.next.store(0, ordering: .relaxed)
        run { [shared] thread in
            while true {
                let start = shared.next.add(chunk, ordering: .relaxed).oldValue
                if start >= count { return }
                body(start..<min(start + chunk, count), thread)
            }
        }
    }

    /// What the workers see. They hold this and not the pool: a pool that its own threads hold would never go away.
    private final class Shared: @unchecked Sendable {
        // Safe: `job` is written before `generation` is released and read after it is acquired; the rest is atomic or constant.
        private var job: (@Sendable (Int) -> Void)?
        private let generation = Atomic<Int>(0)
        private let unfinished = Atomic<Int>(0)
        private let sleepers = Atomic<Int>(0)
        private let stopping = Atomic<Bool>(false)
        let next = Atomic<Int>(0)
        private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
        private let wakeUp = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

        init() {
            pthread_mutex_init(mutex, nil)
            pthread_cond_init(wakeUp, nil)
        }

        deinit {
            pthread_cond_destroy(wakeUp)
            pthread_mutex_destroy(mutex)
            mutex.deallocate()
            wakeUp.deallocate()
        }

        func stop() {
            stopping.store(true, ordering: .sequentiallyConsistent)
            wake()
        }

        func run(_ body: @escaping @Sendable (Int) -> Void, workers: Int) {
            job = body
            unfinished.store(workers, ordering: .relaxed)
            generation.add(1, ordering: .sequentiallyConsistent)
            if sleepers.load(ordering: .sequentiallyConsistent) > 0 { wake() }
            body(0)
            var rounds = 0
            while unfinished.load(ordering: .acquiring) != 0 {
                ck_pause()
                rounds += 1
                if rounds > WorkerPool.spins { sched_yield() }
            }
            job = nil
        }

        func work(_ index: Int) {
            var seen = 0
            while true {
                var rounds = 0
                while generation.load(ordering: .acquiring) == seen && !stopping.load(ordering: .relaxed) {
                    ck_pause()
                    rounds += 1
                    if rounds > WorkerPool.spins { sleep(until: seen) }
                }
                if generation.load(ordering: .acquiring) == seen { return }
                seen += 1
                job!(index)
                unfinished.subtract(1, ordering: .releasing)
            }
        }

        private func wake() {
            pthread_mutex_lock(mutex)
            pthread_cond_broadcast(wakeUp)
            pthread_mutex_unlock(mutex)
        }

        private func sleep(until seen: Int) {
            pthread_mutex_lock(mutex)
            sleepers.add(1, ordering: .sequentiallyConsistent)
            while generation.load(ordering: .sequentiallyConsistent) == seen && !stopping.load(ordering: .sequentiallyConsistent) {
                pthread_cond_wait(wakeUp, mutex)
            }
            sleepers.subtract(1, ordering: .sequentiallyConsistent)
            pthread_mutex_unlock(mutex)
        }
    }
}
