import Benchmarking
import Testing

@Suite struct SpreadTests {
    @Test(arguments: [
        ([3.0], 3.0, 3.0, 3.0),
        ([4, 1], 2.5, 1, 4),
        ([9, 1, 5], 5, 1, 9),
        ([2, 8, 4, 6], 5, 2, 8),
        ([1, 1, 1, 1, 100], 1, 1, 100),
    ])
    func medianAndEnds(values: [Double], median: Double, smallest: Double, largest: Double) {
        let spread = Spread(values)
        #expect(spread.median == median)
        #expect(spread.smallest == smallest && spread.largest == largest)
    }
}
