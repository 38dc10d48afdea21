import Generation
import Glibc
import Inference
import Kernels

/// Perplexity of a model over a text, and its divergence from a reference model over the same tokens, as sessions compute them: the
/// straightforward way, with which the layer-by-layer one must agree.
///
/// Protocol of the field (llama.cpp's perplexity tool): the text is cut into windows of `windowSize` tokens, the first of each replaced by the
/// begin token; the first half is context, the last windowSize - windowSize / 2 - 1 predictions count; the remainder of the text is dropped.
struct SessionEvaluation {
    struct Result: Sendable {
        var tokens = 0
        var windows = 0
        /// -log p of the true tokens, in nats.
        var negativeLogLikelihood = RunningStatistics()
        /// The same for the reference, when there is one.
        var referenceLogLikelihood = RunningStatistics()
        /// KL(reference || model) per token, in nats.
        var divergences: [Double] = []
        var divergence = RunningStatistics()
        var sameTop = 0

        var perplexity: Double { exp(negativeLogLikelihood.mean) }
        var perplexityUncertainty: Double { perplexity * negativeLogLikelihood.uncertainty }
        var referencePerplexity: Double { exp(referenceLogLikelihood.mean) }
        var sameTopFraction: Double { divergence.count > 0 ? Double(sameTop) / Double(divergence.count) : 1 }

        mutating func add(_ token: TokenFigures, compared: Bool) {
            negativeLogLikelihood.add(token.negativeLogLikelihood)
            guard compared else { return }
            referenceLogLikelihood.add(token.referenceLogLikelihood)
            divergences.append(token.divergence)
            divergence.add(token.divergence)
            if token.isSameTop { sameTop += 1 }
        }

        /// Linear interpolation between the sorted values, fraction in 0...1.
        func divergencePercentile(_ fraction: Double) -> Double {
            guard !divergences.isEmpty else { return 0 }
            let sorted = divergences.sorted()
            let place = fraction * Double(sorted.count - 1)
            let low = Int(place)
            return sorted[low] + (place - Double(low)) * (sorted[min(low + 1, sorted.count - 1)] - sorted[low])
        }
    }

    struct TokenFigures {
        var negativeLogLikelihood = 0.0
        var referenceLogLikelihood = 0.0
        var divergence = 0.0
        var isSameTop = false
    }

    static let windowSize = 512

    private let session: LlamaSession
    private let reference: LlamaSession?
    private let kernels: KernelSet
    private let pool: WorkerPool
    private let windowSize: Int

    /// Both sessions were made with `allLogits`, room for a window and the same batch and vocabulary.
    init(session: LlamaSession, reference: LlamaSession?, kernels: KernelSet, pool: WorkerPool, windowSize: Int = Self.windowSize) {
        precondition(windowSize >= 4 && session.cache.context >= windowSize, "a window of \(windowSize) in a context of \(session.cache.context)")
        precondition(reference.map { $0.batch == session.batch && $0.model.shape.vocabulary == session.model.shape.vocabulary } ?? true, "unequal sessions")
        self.session = session
        self.reference = reference
        self.kernels = kernels
        self.pool = pool
        self.windowSize = windowSize
    }

    /// - Parameters:
    ///   - ids: the whole text's tokens, begin token included.
    ///   - progress: called after each window with the result so far; returning false stops.
    func run(ids: [Int32], begin: Int32?, windows limit: Int? = nil, progress: (Result, _ of: Int) -> Bool) throws(InferenceError) -> Result {
        var result = Result()
        result.tokens = ids.count
        let windows = min(ids.count / windowSize, limit ?? .max)
        let first = windowSize / 2
        for window in 0..<windows {
            var tokens = Array(ids[window * windowSize..<(window + 1) * windowSize])
            if let begin { tokens[0] = begin }
            session.cache.truncate(to: 0)
            reference?.cache.truncate(to: 0)
            for start in stride(from: 0, to: windowSize, by: session.batch) {
                let end = min(start + session.batch, windowSize)
                let scores = end > first
                let logits = try session.append(tokens[start..<end], logits: scores ? .all : .none)
                let base = try reference?.append(tokens[start..<end], logits: scores ? .all : .none)
                let scored = max(start, first)..<max(min(end, windowSize - 1), max(start, first))
                var figures = [TokenFigures](repeating: TokenFigures(), count: scored.count)
                figures.withUnsafeMutableBufferPointer { figures in
                    // Safe: every chunk writes its own elements.
                    nonisolated(unsafe) let figures = figures
                    pool.forEachChunk(of: scored.count, chunk: 4) { indices, _ in
                        for index in indices {
                            let row = scored.lowerBound + index - start
                            figures[index] = measure(
                                logits + row * session.logitsStride, base.map { $0 + row * reference!.logitsStride },
                                target: Int(tokens[start + row + 1]))
                        }
                    }
                }
                for token in figures { result.add(token, compared: base != nil) }
            }
            result.windows += 1
            if !progress(result, windows) { break }
        }
        return result
    }

    /// The figures of one prediction; `base` is the reference's row of logits.
    private func measure(_ row: UnsafePointer<Float>, _ base: UnsafePointer<Float>?, target: Int) -> TokenFigures {
        let vocabulary = session.model.shape.vocabulary
        var figures = TokenFigures()
        let logSum = kernels.logSumExp(row, count: vocabulary)
        figures.negativeLogLikelihood = logSum - Double(row[target])
        guard let base else { return figures }
        let baseLogSum = kernels.logSumExp(base, count: vocabulary)
        figures.referenceLogLikelihood = baseLogSum - Double(base[target])
        figures.divergence = kernels.klDivergence(base, logSum: baseLogSum, from: row, logSum: logSum, count: vocabulary)
        figures.isSameTop = Sampler.argmax(row, count: vocabulary) == Sampler.argmax(base, count: vocabulary)
        return figures
    }
}
