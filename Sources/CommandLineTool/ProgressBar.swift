import StrictJSON
import Synchronization

/// Shows how far a job is: a bar that moves on a terminal, a line now and then elsewhere, JSON lines on request.
struct ProgressBar {
    enum Style { case bar, lines, json }

    private let label: String
    private let style: Style
    private let start = Terminal.seconds()
    private var shownAt = 0.0
    private var isShown = false

    init(_ label: String, json: Bool) {
        self.label = label
        style = json ? .json : Terminal.errorIsTerminal ? .bar : .lines
    }

    private var interval: Double {
        switch style {
        case .bar: 0.1
        case .lines: 5
        case .json: 0.5
        }
    }

    mutating func show(_ bytes: UInt64, of total: UInt64) {
        let now = Terminal.seconds()
        let elapsed = now - start
        guard elapsed - shownAt >= interval else { return }
        shownAt = elapsed
        let rate = Double(bytes) / elapsed
        let left = bytes > 0 ? Double(total - min(bytes, total)) / rate : .infinity
        let percent = total > 0 ? Int(100 * Double(bytes) / Double(total)) : 100
        let facts = "\(percent) % of \(Quantities.bytes(total)), \(Quantities.fixed(rate / 1e6, 0)) MB/s, \(Quantities.duration(left)) left"
        switch style {
        case .json:
            Terminal.line([
                "event": "progress", "bytes": JSONValue(bytes), "total": JSONValue(total), "bytes_per_second": JSONValue(rate),
                "seconds_left": JSONValue(left),
            ])
        case .lines: Terminal.note("\(label): \(facts)")
        case .bar:
            let width = 30
            let filled = total > 0 ? Int(Double(width) * Double(bytes) / Double(total)) : width
            let bar = String(repeating: "█", count: filled) + String(repeating: "░", count: width - filled)
            // The escape sequence clears what a longer line left behind.
            Terminal.write("\r\(bar) \(facts)\u{1B}[K")
            isShown = true
        }
    }

    /// Takes the bar away, so that other lines can follow.
    mutating func clear() {
        if isShown { Terminal.write("\r\u{1B}[K") }
        isShown = false
    }
}

/// A bar for work that reports from several threads, one at a time.
final class SharedProgressBar: Sendable {
    private let bar: Mutex<ProgressBar>

    init(_ label: String) { bar = Mutex(ProgressBar(label, json: false)) }

    func show(_ bytes: UInt64, of total: UInt64) { bar.withLock { $0.show(bytes, of: total) } }
    func clear() { bar.withLock { $0.clear() } }
}
