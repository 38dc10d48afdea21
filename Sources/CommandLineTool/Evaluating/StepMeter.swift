/// A line that is rewritten on a terminal, else a line every half minute.
struct StepMeter {
    let isQuiet: Bool
    private var start = Terminal.seconds()
    private var shownAt = Terminal.seconds()
    private var isShown = false

    init(isQuiet: Bool) { self.isQuiet = isQuiet }

    mutating func restart() {
        clear()
        start = Terminal.seconds()
    }

    mutating func show(_ text: String, done: Double, of total: Double) {
        let now = Terminal.seconds()
        guard !isQuiet, now - shownAt > (Terminal.errorIsTerminal ? 0.2 : 30) else { return }
        shownAt = now
        let left = (now - start) / max(done, 1e-9) * (total - done)
        let line = "\(text), \(Int(100 * done / total)) %, \(Quantities.duration(left)) left"
        if Terminal.errorIsTerminal {
            Terminal.write("\r\u{1B}[K" + line)
            isShown = true
        } else {
            Terminal.note(line)
        }
    }

    mutating func clear() {
        if isShown { Terminal.write("\r\u{1B}[K") }
        isShown = false
    }
}
