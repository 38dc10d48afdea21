/// Mean of a series and the standard error of that mean.
package struct RunningStatistics: Sendable {
    package private(set) var count = 0
    private var sum = 0.0
    private var squares = 0.0

    package init() {}

    package mutating func add(_ value: Double) {
        count += 1
        sum += value
        squares += value * value
    }

    package var mean: Double { count > 0 ? sum / Double(count) : 0 }

    /// sqrt((mean of squares - square of mean) / (n - 1)); 0 for fewer than two values.
    package var uncertainty: Double {
        guard count > 1 else { return 0 }
        let variance = max(0, squares / Double(count) - mean * mean)
        return (variance / Double(count - 1)).squareRoot()
    }
}
