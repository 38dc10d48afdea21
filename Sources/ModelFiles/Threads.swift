import Glibc

/// Threads for work that waits for the disk. Compute threads are elsewhere; this target lies below them.
enum Threads {
    private final class Work: Sendable {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }

    /// Runs `body` on `count` threads, the caller's among them, and waits for all. With fewer threads than asked for
    /// (the system may refuse some) everything still runs, so `body` must take its share from a common queue.
    static func run(_ count: Int, _ body: @escaping @Sendable () -> Void) {
        var started: [pthread_t] = []
        for _ in 1..<max(1, count) {
            var thread = pthread_t()
            let work = Unmanaged.passRetained(Work(body))
            let code = pthread_create(
                &thread, nil,
                { context in
                    Unmanaged<Work>.fromOpaque(context!).takeRetainedValue().body()
                    return nil
                }, work.toOpaque())
            guard code == 0 else {
                work.release()
                break
            }
            started.append(thread)
        }
        body()
        for thread in started { pthread_join(thread, nil) }
    }
}
