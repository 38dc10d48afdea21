import Generation
package import Inference
package import Kernels
import RandomNumbers

/// Measures a model's speeds, and the yardsticks in turn with them: one of each, then all again, so that a machine that gets slower or
/// faster in between does it to all alike. The first round only warms up.
package final class Benchmark {
    package let plan: BenchmarkPlan
    private let model: LlamaModel
    private let kernels: KernelSet
    private let benches: [Bench]
    /// The token of each position. All cases share it, so that whatever a position's last writer was, it left the same keys and values.
    private let tokens: [Int32]

    /// Everything that has one number of threads.
    private struct Bench {
        var pool: WorkerPool
        var session: LlamaSession
    }

    /// How far the work is.
    package struct Progress: Sendable {
        /// From 1; 0 is the warm-up.
        package var run: Int
        package var next: BenchmarkCase
        /// Cases measured, of how many, warm-up included.
        package var done: Int
        package var count: Int
    }

    /// - Parameters:
    ///   - places: hardware threads by core that compute threads stay on, as in `WorkerPool`.
    ///   - seed: of the random token ids.
    ///   - makeSession: called once for each number of threads; the session needs `plan.positions` positions and no logits but the last.
    package init(
        plan: BenchmarkPlan, model: LlamaModel, kernels: KernelSet, places: [[Int]]? = nil, seed: UInt64 = 1,
        makeSession: (WorkerPool) throws -> LlamaSession
    ) rethrows {
        precondition(!plan.cases.isEmpty && plan.runs >= 1, "nothing to measure")
        self.plan = plan
        self.model = model
        self.kernels = kernels
        benches = try plan.threads.map { threads in
            let pool = WorkerPool(threads: threads, places: places)
            return Bench(pool: pool, session: try makeSession(pool))
        }
        tokens = Self.randomTokens(count: plan.positions, vocabulary: model.shape.vocabulary, seed: seed)
    }

    private static func randomTokens(count: Int, vocabulary: Int, seed: UInt64) -> [Int32] {
        var random = SplitMix64(seed: seed)
        return (0..<count).map { _ in Int32(random.next() % UInt64(vocabulary)) }
    }

    package func run(progress: (Progress) -> Void) throws(InferenceError) -> BenchmarkReport {
        let cases = plan.cases
        var speeds = [[Double]](repeating: [], count: cases.count)
        var reads = [[Double]](repeating: [], count: benches.count)
        var peaks = reads
        for run in 0...plan.runs {
            for (index, bench) in benches.enumerated() {
                let read = Yardsticks.readBandwidth(model, pool: bench.pool)
                let peak = Yardsticks.int8Peak(kernels, pool: bench.pool)
                if run > 0 {
                    reads[index].append(read)
                    peaks[index].append(peak)
                }
                if run == 0 { try fill(bench.session) }
                for (place, item) in cases.enumerated() where item.threads == bench.pool.threads {
                    progress(Progress(run: run, next: item, done: run * cases.count + place, count: (plan.runs + 1) * cases.count))
                    let speed = try measure(item, bench.session)
                    if run > 0 { speeds[place].append(speed) }
                }
            }
        }
        let yardsticks = zip(benches, zip(reads, peaks)).map { bench, samples in
            BenchmarkReport.Yardstick(threads: bench.pool.threads, readBandwidth: Spread(samples.0), int8Peak: Spread(samples.1))
        }
        return BenchmarkReport(plan: plan, speeds: speeds.map { Spread($0) }, yardsticks: yardsticks, work: BenchmarkWork(model, benches[0].session.cache.element))
    }

    /// Puts real positions before every place where decoding will begin, in batches, which is quicker than one at a time.
    private func fill(_ session: LlamaSession) throws(InferenceError) {
        try append(0..<(plan.cases.map(\.depth).max() ?? 0), session, logits: .none)
    }

    private func append(_ positions: Range<Int>, _ session: LlamaSession, logits: LlamaSession.Logits) throws(InferenceError) {
        for start in stride(from: positions.lowerBound, to: positions.upperBound, by: session.batch) {
            let end = min(start + session.batch, positions.upperBound)
            _ = try session.append(tokens[start..<end], logits: end == positions.upperBound ? logits : .none)
        }
    }

    /// Tokens per second.
    private func measure(_ item: BenchmarkCase, _ session: LlamaSession) throws(InferenceError) -> Double {
        session.cache.restore(to: item.depth)
        let clock = ContinuousClock()
        let start = clock.now
        switch item.kind {
        case .prefill: try append(0..<item.tokens, session, logits: .last)
        case .decode:
            for position in item.depth..<item.depth + item.tokens { _ = try session.append(tokens[position...position], logits: .last) }
        }
        return Double(item.tokens) / (clock.now - start).inSeconds
    }
}
