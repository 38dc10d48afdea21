import Evaluation
import Glibc
import LayerwiseInference
import Testing

@Suite struct StatisticsTests {
    @Test func meanOfEqualWindows() {
        // Window means 2 and 6, tokens 1 3 5 7 around 4.
        let mean = ClusteredMean([[1, 3], [5, 7]])
        #expect(mean.count == 4 && mean.mean == 4)
        #expect(abs(mean.byTokens - (5.0 / 3).squareRoot()) < 1e-12)
        // Standard error of two means: |6 - 2| / 2.
        #expect(abs((mean.byWindows ?? 0) - 2) < 1e-12 && mean.uncertainty == mean.byWindows)
        #expect(ClusteredMean([[1, 2, 3]]).byWindows == nil)
        #expect(ClusteredMean([[Double]]()).count == 0 && ClusteredMean([[Double]]()).uncertainty == 0)
    }

    /// Windows that are all alike inside and differ between each other: tokens taken as independent look far too certain.
    @Test func clustersAreSeen() {
        let mean = ClusteredMean((0..<10).map { [Double](repeating: Double($0), count: 255) })
        #expect((mean.byWindows ?? 0) > 15 * mean.byTokens)
    }

    @Test func windowsAreSpreadOverTheText() {
        let ids = (0..<1030).map { Int32($0) }
        let all = TextWindows(ids: ids, begin: -1, size: 10)
        #expect(all.available == 103 && all.windows.count == 103 && all.scored == 5..<9)
        #expect(all.windows[7] == [-1] + (71..<80).map { Int32($0) })
        let some = TextWindows(ids: ids, begin: nil, limit: 4, size: 10)
        #expect(some.windows.map { $0[0] } == [120, 380, 640, 900])
        #expect(TextWindows(ids: ids, begin: nil, limit: 1000, size: 10).windows == TextWindows(ids: ids, begin: nil, size: 10).windows)
    }

    @Test func summary() throws {
        var windows = [WindowFigures(variants: 2), WindowFigures(variants: 2)]
        for index in 0..<2 {
            windows[index].referenceLogLoss = [1, 2]
            windows[index].variants[0].logLoss = [1.5, 2]
            windows[index].variants[0].divergence = [0.25, 0]
            windows[index].variants[0].isSameTop = [true, index == 0]
            windows[index].variants[1].logLoss = [1, 2]
            windows[index].variants[1].divergence = [0.5, 1e-3]
            windows[index].variants[1].isSameTop = [true, true]
        }
        let summary = EvaluationSummary(windows, variant: 0)
        let comparison = try #require(summary.comparison)
        #expect(abs(summary.perplexity - exp(1.75)) < 1e-12 && abs(comparison.referencePerplexity - exp(1.5)) < 1e-12)
        #expect(abs(comparison.perplexityRatio - exp(0.25)) < 1e-12)
        // Paired: the windows agree on the difference, so only tokens spread.
        #expect(comparison.logRatio.byWindows == 0 && comparison.logRatio.byTokens > 0)
        #expect(comparison.sameTop.mean == 0.75 && comparison.divergence.mean == 0.125)
        #expect(comparison.percentile(0.5) == 0.125 && comparison.percentile(1) == 0.25)
        let change = exp(-1.5) - exp(-1.0)
        #expect(abs(comparison.rmsChange - (change * change / 2).squareRoot()) < 1e-12)
        #expect(abs(EvaluationSummary.difference(windows, from: 0, to: 1).mean - 0.1255) < 1e-12)
        let histogram = comparison.histogram
        #expect(EvaluationSummary.Histogram.edges.count == 101 && EvaluationSummary.Histogram.edges[0] == -8 && EvaluationSummary.Histogram.edges[100] == 2)
        #expect(histogram.counts.count == 100 && histogram.counts.reduce(0, +) == 4)
        // Zeros are in the first bin; log10 0.25 = -0.602 lies in -0.7 ..< -0.6.
        #expect(histogram.counts[0] == 2 && histogram.counts[73] == 2)
    }
}
