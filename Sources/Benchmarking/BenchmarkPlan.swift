/// One thing whose speed is measured.
package struct BenchmarkCase: Sendable, Equatable {
    package enum Kind: String, Sendable { case prefill, decode }

    package var kind: Kind
    /// Prefill: tokens of the prompt. Decode: tokens that are fed one at a time.
    package var tokens: Int
    /// Positions that the cache holds before.
    package var depth: Int
    package var threads: Int
}

/// What a benchmark measures, and how often.
package struct BenchmarkPlan: Sendable, Equatable {
    /// Lengths of the prompts, each from an empty cache.
    package var promptTokens: [Int]
    /// Tokens decoded one at a time, at each depth.
    package var generatedTokens: Int
    package var depths: [Int]
    package var threads: [Int]
    /// Measurements of every case, after a warm-up.
    package var runs: Int

    /// All lists may be in any order; none of their values is negative, and prompts, threads and runs are at least 1.
    package init(promptTokens: [Int], generatedTokens: Int, depths: [Int], threads: [Int], runs: Int) {
        self.promptTokens = promptTokens
        self.generatedTokens = generatedTokens
        self.depths = depths
        self.threads = threads
        self.runs = runs
    }

    /// In the order of measurement within a run.
    package var cases: [BenchmarkCase] {
        threads.flatMap { threads in
            promptTokens.map { BenchmarkCase(kind: .prefill, tokens: $0, depth: 0, threads: threads) }
                + (generatedTokens > 0 ? depths.map { BenchmarkCase(kind: .decode, tokens: generatedTokens, depth: $0, threads: threads) } : [])
        }
    }

    /// Positions that the cache needs.
    package var positions: Int { cases.map { $0.depth + $0.tokens }.max() ?? 1 }
}
