/// Mean of a series and the standard error of that mean.
struct RunningStatistics: Sendable {
    private(set) var count = 0
    private var sum = 0.0
    private var squares = 0.0

    init() {}

    mutating func add(_ value: Double) {
        count += 1
        sum += value
        squares += value * value
    }

    var mean: Double { count > 0 ? sum / Double(count) : 0 }

    /// sqrt((mean of squares - square of mean) / (n - 1)); 0 for fewer than two values.
    var uncertainty: Double {
        guard count > 1 else { return 0 }
        let variance = max(0, squares / Double(count) - mean * mean)
        return (variance / Double(count - 1)).squareRoot()
    }
}
