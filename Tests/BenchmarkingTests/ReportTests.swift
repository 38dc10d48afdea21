import Benchmarking
import Testing

/// The arithmetic of plans and fractions, on made-up numbers.
@Suite struct ReportTests {
    private let plan = BenchmarkPlan(promptTokens: [512], generatedTokens: 4, depths: [0, 100], threads: [2, 1], runs: 3)
    private let work = BenchmarkWork(parameters: 1000, multipliedParameters: 800, weightBytes: 5000, cacheBytesPerPosition: 10)

    @Test func casesInTheirOrder() {
        let cases = plan.cases
        #expect(cases.map(\.threads) == [2, 2, 2, 1, 1, 1])
        #expect(cases.map(\.kind) == [.prefill, .decode, .decode, .prefill, .decode, .decode])
        #expect(cases.map(\.depth) == [0, 0, 100, 0, 0, 100])
        #expect(cases.map(\.tokens) == [512, 4, 4, 512, 4, 4])
        #expect(plan.positions == 512)
        #expect(BenchmarkPlan(promptTokens: [8], generatedTokens: 4, depths: [100], threads: [1], runs: 1).positions == 104)
        #expect(BenchmarkPlan(promptTokens: [8], generatedTokens: 0, depths: [100], threads: [1], runs: 1).cases.count == 1)
        #expect(BenchmarkPlan(promptTokens: [], generatedTokens: 1, depths: [7], threads: [1], runs: 1).positions == 8)
    }

    @Test func fractionsOfTheYardsticksWithTheSameThreads() throws {
        let report = BenchmarkReport(
            plan: plan, speeds: [100, 20, 10, 50, 10, 5].map { Spread([$0, $0 / 2, $0 * 2]) },
            yardsticks: [
                .init(threads: 2, readBandwidth: Spread([200_000]), int8Peak: Spread([400_000])),
                .init(threads: 1, readBandwidth: Spread([100_000]), int8Peak: Spread([200_000])),
            ], work: work)
        #expect(report.largestYardstick.threads == 2)
        let prefill = report.results[0]
        // 2 x 1000 parameters x 100 tokens per second over 400000 operations per second
        #expect(prefill.fraction == 0.5)
        #expect(prefill.fractionMultiplied == 0.4)
        #expect(prefill.bytesPerToken == nil)
        // Four tokens from depth 100 see 101, 102, 103 and 104 positions.
        let decode = report.results[2]
        #expect(decode.bytesPerToken == 6025.0)
        #expect(decode.fraction == 0.30125)
        #expect(decode.fractionMultiplied == nil)
        #expect(report.results[1].bytesPerToken == 5025.0)
        #expect(report.results[3].fraction == prefill.fraction)
        #expect(report.results[5].yardstick.threads == 1 && report.results[5].fraction == decode.fraction)
    }
}
