import Glibc

/// Where the signal handler writes. Set once, before the handler is installed.
private nonisolated(unsafe) var signalPipe: Int32 = -1

/// Ends the program in order when the user or the system asks for it.
enum Interruption {
    private final class Cleanup: Sendable {
        let body: @Sendable () -> Void
        let pipe: Int32
        init(pipe: Int32, _ body: @escaping @Sendable () -> Void) { (self.pipe, self.body) = (pipe, body) }
    }

    /// On SIGINT, SIGQUIT, SIGTERM and SIGHUP runs `cleanup` on a thread of its own and exits with 128 and the signal's number. A handler may
    /// call next to nothing, so it only writes the number into a pipe.
    static func install(_ cleanup: @escaping @Sendable () -> Void) {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { return }
        signalPipe = ends[1]
        let context = Unmanaged.passRetained(Cleanup(pipe: ends[0], cleanup))
        var thread = pthread_t()
        let code = pthread_create(
            &thread, nil,
            { context in
                let cleanup = Unmanaged<Cleanup>.fromOpaque(context!).takeRetainedValue()
                var number: UInt8 = 0
                while read(cleanup.pipe, &number, 1) != 1 {}
                cleanup.body()
                _exit(128 + Int32(number))
            }, context.toOpaque())
        guard code == 0 else { return context.release() }
        for number in [SIGINT, SIGQUIT, SIGTERM, SIGHUP] {
            var old = sigaction()
            sigaction(number, nil, &old)
            // nohup sets signals to be ignored, and they stay so.
            if unsafeBitCast(old.__sigaction_handler.sa_handler, to: Int.self) == 1 { continue }
            var action = sigaction()
            action.__sigaction_handler.sa_handler = { number in
                var byte = UInt8(truncatingIfNeeded: number)
                _ = write(signalPipe, &byte, 1)
            }
            action.sa_flags = Int32(SA_RESTART)
            sigaction(number, &action, nil)
        }
        // A reader of the output that goes away must not end the work.
        signal(SIGPIPE, SIG_IGN)
    }
}
