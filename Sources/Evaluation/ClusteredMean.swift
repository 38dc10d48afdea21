import Glibc

/// A mean over tokens with two standard errors: one that takes tokens as independent, as the field's tools do, and one that takes
/// windows as independent, since tokens of one window share a subject and errors of the attention.
package struct ClusteredMean: Sendable, Equatable {
    package var count = 0
    package var mean = 0.0
    /// sqrt((mean of squares - square of mean) / (n - 1)) over n tokens; 0 for fewer than two.
    package var byTokens = 0.0
    /// sqrt(sum over W windows of (n_w / n x W)^2 (mean_w - mean)^2 / (W (W - 1))), which for windows of equal length is the standard error
    /// of the windows' means; nil for fewer than two, which say nothing about it.
    package var byWindows: Double?

    /// The larger of the two: with few windows their own spread is known badly, and may come out too small by chance.
    package var uncertainty: Double { max(byTokens, byWindows ?? 0) }

    package init(_ windows: some Collection<[Double]>) {
        var sum = 0.0, squares = 0.0
        for window in windows {
            count += window.count
            for value in window {
                sum += value
                squares += value * value
            }
        }
        guard count > 0 else { return }
        mean = sum / Double(count)
        guard count > 1 else { return }
        byTokens = (max(0, squares / Double(count) - mean * mean) / Double(count - 1)).squareRoot()
        let filled = windows.filter { !$0.isEmpty }
        guard filled.count > 1 else { return }
        let clusters = Double(filled.count)
        var spread = 0.0
        for window in filled {
            let share = Double(window.count) / Double(count) * clusters
            let difference = share * (window.reduce(0, +) / Double(window.count) - mean)
            spread += difference * difference
        }
        byWindows = (spread / (clusters * (clusters - 1))).squareRoot()
    }
}
