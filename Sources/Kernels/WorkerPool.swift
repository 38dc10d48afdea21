import CKernels
import CScheduling
import Glibc

/// The compute threads. They wait for a job by spinning briefly, then asleep; the caller works as thread 0.
///
/// *Threads*: one caller at a time.
package final class WorkerPool: @unchecked Sendable {  // Safe: `team` is; the handles do not change after init.
    package var threads: Int { team.threads }
    package let team: Team
    private var handles: [pthread_t] = []

    /// - Parameter places: hardware threads by core, to keep thread i on those of `places[i]`; nil or too few of them leave the threads to the
    ///   system. It helps where cores have several hardware threads: two compute threads on one core halve each other's speed. The caller,
    ///   thread 0, stays free: what it starts later, such as a reader of files, would inherit its place; the system finds it the core left over.
    package init(threads: Int, places: [[Int]]? = nil) {
        precondition(threads >= 1, "a pool needs a thread")
        let places = places.flatMap { $0.count >= threads ? $0 : nil }
        team = Team(threads: threads)
        for index in 1..<max(threads, 1) {
            let start = Unmanaged.passRetained(Start(team: team, index: index, place: places?[index] ?? []))
            var handle = pthread_t()
            let code = pthread_create(&handle, nil, { argument in
                let start = Unmanaged<Start>.fromOpaque(argument!).takeRetainedValue()
                WorkerPool.keep(on: start.place)
                start.team.work(start.index)
                return nil
            }, start.toOpaque())
            precondition(code == 0, "cannot start a thread: error \(code)")
            handles.append(handle)
        }
    }

    /// A place that the system refuses, because it was taken away meanwhile, is no error: the thread then runs where it may.
    private static func keep(on numbers: [Int]) {
        if !numbers.isEmpty { _ = cs_keep_on(numbers.map { Int32($0) }, Int32(numbers.count)) }
    }

    deinit {
        team.stop()
        for handle in handles { pthread_join(handle, nil) }
        team.deallocate()
    }

    private final class Start {
        let team: Team
        let index: Int
        let place: [Int]
        init(team: Team, index: Int, place: [Int]) { (self.team, self.index, self.place) = (team, index, place) }
    }

    /// Runs `body` with `context` once on every thread, with the thread's index, and returns when all are done. Allocates nothing.
    package func run(_ context: UnsafeMutableRawPointer, _ body: Team.Job) { team.run(context, body) }

    /// Runs `body` once on every thread, with the thread's index, and returns when all are done.
    package func run(_ body: (Int) -> Void) {
        guard threads > 1 else { return body(0) }
        withoutActuallyEscaping(body) { body in
            var body = body
            // Safe: run returns only after every worker has left the closure.
            withUnsafeMutablePointer(to: &body) { pointer in
                team.run(pointer) { context, thread in context.assumingMemoryBound(to: ((Int) -> Void).self).pointee(thread) }
            }
        }
    }

    /// Calls `body` for chunks that together cover 0 ..< count, on whichever thread is free. One thread gets all at once.
    package func forEachChunk(of count: Int, chunk: Int, _ body: (Range<Int>, _ thread: Int) -> Void) {
        precondition(count >= 0 && chunk > 0, "count \(count), chunk \(chunk)")
        if count <= chunk || threads == 1 {
            if count > 0 { body(0..<count, 0) }
            return
        }
        run { [team] thread in
            var phase = 0
            team.share(count, chunk: chunk, phase: &phase, thread: thread) { body($0, thread) }
        }
    }
}
