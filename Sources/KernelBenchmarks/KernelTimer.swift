import Kernels

/// Best of several short runs: what the kernel can do when nothing else takes the processor.
struct KernelTimer {
    var runs: Int

    /// A run's least duration in seconds: long against the clock's resolution, short against the system's time slice.
    private static let shortest = 1e-3

    /// A slow kernel gets fewer runs, two at least: not more than this many seconds of them.
    private static let longest = 0.5

    /// Seconds per call with each set; the sets take turns.
    func best(of sets: [KernelSet], _ call: (KernelSet) -> Void) -> [Double] {
        let counts = sets.map { set in
            call(set)
            return max(1, Int((Self.shortest / max(time(1, set, call), 1e-9)).rounded(.up)))
        }
        var best = [Double](repeating: .infinity, count: sets.count)
        var spent = [Double](repeating: 0, count: sets.count)
        for run in 0..<runs {
            for (index, set) in sets.enumerated() where run < 2 || spent[index] < Self.longest {
                let seconds = time(counts[index], set, call)
                best[index] = min(best[index], seconds)
                spent[index] += seconds * Double(counts[index])
            }
        }
        return best
    }

    private func time(_ count: Int, _ set: KernelSet, _ call: (KernelSet) -> Void) -> Double {
        let clock = ContinuousClock()
        let start = clock.now
        for _ in 0..<count { call(set) }
        let passed = (clock.now - start).components
        return (Double(passed.seconds) + Double(passed.attoseconds) * 1e-18) / Double(count)
    }
}
