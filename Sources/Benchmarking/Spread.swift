/// What repeated measurements say: the middle one and how far they lie apart.
package struct Spread: Sendable, Equatable {
    package let median: Double
    package let smallest: Double
    package let largest: Double

    /// The median of an even number of values is the mean of the two in the middle. `values` must not be empty.
    package init(_ values: [Double]) {
        precondition(!values.isEmpty, "the spread of nothing")
        let sorted = values.sorted()
        let middle = sorted.count / 2
        median = sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
        smallest = sorted[0]
        largest = sorted[sorted.count - 1]
    }
}
