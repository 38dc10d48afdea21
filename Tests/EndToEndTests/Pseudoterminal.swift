import Foundation
import Glibc

/// A program at a terminal that the test plays.
final class Pseudoterminal {
    private let descriptor: Int32
    private let slave: FileHandle
    let process = Process()
    private(set) var shown = ""

    init(_ arguments: [String], environment: [String: String] = [:], width: UInt16 = 80) throws {
        var size = winsize(ws_row: 24, ws_col: width, ws_xpixel: 0, ws_ypixel: 0)
        var ends: (Int32, Int32) = (-1, -1)
        guard openpty(&ends.0, &ends.1, nil, nil, &size) == 0 else { throw POSIXError(.ENXIO) }
        descriptor = ends.0
        slave = FileHandle(fileDescriptor: ends.1, closeOnDealloc: true)
        process.executableURL = URL(filePath: QuernProcess.binary)
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(["TERM": "xterm", "SWIFT_BACKTRACE": "enable=no"]) { $1 }.merging(environment) { $1 }
        process.standardInput = slave
        process.standardOutput = slave
        process.standardError = slave
        try process.run()
    }

    deinit { close(descriptor) }

    /// Whether the system shows and gathers what is typed, as for programs that know nothing of terminals.
    var isUsual: Bool {
        var mode = termios()
        tcgetattr(slave.fileDescriptor, &mode)
        let usual = tcflag_t(ICANON | ECHO | ISIG)
        return mode.c_lflag & usual == usual
    }

    func type(_ text: String) { _ = write(descriptor, text, text.utf8.count) }

    /// Reads until `text` was shown that many times, for half a minute at most.
    @discardableResult
    func wait(for text: String, times: Int = 1) -> Bool { wait { shown.components(separatedBy: text).count > times } }

    /// Reads until the program has ended.
    func waitForEnd() -> Int32 {
        wait { !process.isRunning }
        process.waitUntilExit()
        return process.terminationReason == .uncaughtSignal ? -process.terminationStatus : process.terminationStatus
    }

    @discardableResult
    private func wait(_ condition: () -> Bool) -> Bool {
        let end = ContinuousClock.now + .seconds(30)
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while !condition() {
            if ContinuousClock.now > end { return false }
            var file = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard poll(&file, 1, 20) > 0 else { continue }
            let count = read(descriptor, &buffer, buffer.count)
            if count > 0 { shown += String(decoding: buffer[..<count], as: UTF8.self) } else { usleep(10_000) }
        }
        return true
    }
}
