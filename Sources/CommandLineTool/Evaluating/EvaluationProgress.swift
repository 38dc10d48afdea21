import ByteStorage
import Evaluation

/// Shows how far an evaluation is, and keeps what is finished.
struct EvaluationProgress {
    let file: EvaluationProgressFile
    let isQuiet: Bool
    private let start = Terminal.seconds()
    private var savedAt: Double
    private var shownAt = 0.0
    private var isSaved = false
    private var isShown = false
    private var cannotSave = false

    /// Seconds between two writings: what an interruption may cost beside the batch in work.
    private static let saveInterval = 30.0

    init(file: EvaluationProgressFile, isQuiet: Bool) {
        (self.file, self.isQuiet) = (file, isQuiet)
        savedAt = start
    }

    /// Always true: go on.
    mutating func show(_ progress: StreamedEvaluation.Progress, resumed: Int) -> Bool {
        let now = Terminal.seconds()
        if progress.underWay == 0, now - savedAt > Self.saveInterval, progress.finished.count < progress.windows { save(progress.finished, now) }
        guard !isQuiet, now - shownAt > (Terminal.errorIsTerminal ? 0.2 : 30) else { return true }
        // Nothing is known in the first moment.
        guard now - start > (Terminal.errorIsTerminal ? 0.5 : 30) else { return true }
        shownAt = now
        let done = Double(progress.finished.count - resumed) + progress.underWay
        let left = (now - start) / max(done, 1e-9) * (Double(progress.windows - resumed) - done)
        var text = "window \(Quantities.fixed(Double(progress.finished.count) + progress.underWay, 1)) of \(progress.windows)"
        if !progress.finished.isEmpty {
            let summary = EvaluationSummary(progress.finished, variant: 0)
            text += ", perplexity \(Quantities.fixed(summary.perplexity, 4))"
            if let comparison = summary.comparison { text += ", KL divergence \(Quantities.fixed(comparison.divergence.mean, 6))" }
        }
        text += ", \(Quantities.duration(left)) left"
        if Terminal.errorIsTerminal {
            Terminal.write("\r\u{1B}[K" + text)
            isShown = true
        } else {
            Terminal.note(text)
        }
        return true
    }

    private mutating func save(_ windows: [WindowFigures], _ now: Double) {
        guard !cannotSave else { return }
        savedAt = now
        do throws(FileError) {
            try file.save(windows)
            isSaved = true
        } catch {
            cannotSave = true
            clear()
            Terminal.note("\(error); an interrupted run will have to begin anew")
        }
    }

    private mutating func clear() {
        if isShown { Terminal.write("\r\u{1B}[K") }
        isShown = false
    }

    mutating func finish() {
        clear()
        // Also one that an earlier run left.
        if isSaved || Folders.kind(of: file.path) == .file { file.remove() }
    }
}
