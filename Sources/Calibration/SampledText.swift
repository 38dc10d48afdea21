import Architectures
import Glibc
package import Kernels
package import LayerwiseInference
import RandomNumbers

/// Text that a model writes itself: every window begins with the begin token and goes on by sampling at temperature 1. Behind an end token a
/// new text begins in the same window. The same seed and model give the same tokens.
package struct SampledText {
    package let model: any LayerwiseModel
    package let arithmetic: LayerArithmetic
    package let windows: Int
    package let windowSize: Int
    package let seed: UInt64

    package init(model: any LayerwiseModel, arithmetic: LayerArithmetic, windows: Int, windowSize: Int = TextWindows.standardSize, seed: UInt64) {
        precondition(windows >= 1 && windowSize >= 2, "\(windows) windows of \(windowSize)")
        (self.model, self.arithmetic, self.windows, self.windowSize, self.seed) = (model, arithmetic, windows, windowSize, seed)
    }

    /// Texts that grow together: the weights are gone through once per token of all of them, and every text has a key-value cache.
    private func together(_ budget: Int) -> Int {
        let each = TextCaches.byteCount(texts: 1, context: windowSize, element: .f16, configuration: model.configuration)
        return max(1, min(windows, windowSize, budget / 2 / each))
    }

    /// - Parameters:
    ///   - begin: the first token of every window.
    ///   - ends: tokens that end a text.
    ///   - progress: told the part of the way.
    package func write(begin: Int32, ends: Set<Int32>, budget: Int, kernels: KernelSet, pool: WorkerPool, progress: (Double) -> Void) throws -> [[Int32]] {
        let configuration = model.configuration
        let engine = LayerwiseEngine(
            configuration: configuration, windowSize: windowSize, groupWindows: 1, codes: arithmetic.products != .floats, kernels: kernels, pool: pool)
        let cached = LayerArithmetic(products: arithmetic.products, cache: .f16)
        var texts: [[Int32]] = []
        let most = together(budget)
        let steps = Double((windows + most - 1) / most * (windowSize - 1))
        var done = 0.0
        while texts.count < windows {
            let count = min(most, windows - texts.count)
            let caches = TextCaches(texts: count, context: windowSize, element: .f16, configuration: configuration)
            let states = HiddenStates(windows: count, windowSize: 1, configuration: configuration)
            let logits = aligned_alloc(64, count * engine.logitsStride * 4)!.assumingMemoryBound(to: Float.self)
            defer { free(logits) }
            var batch = [[Int32]](repeating: [begin], count: count)
            var generators = (0..<count).map { CategoricalSampler(seed: seed &+ UInt64(texts.count + $0) &* 0x9E37_79B9_7F4A_7C15) }
            for position in 0..<windowSize - 1 {
                try engine.embed(batch.map { $0[position] }, from: model.embedding, into: states)
                for layer in 0..<configuration.layers {
                    try engine.step(try model.layer(layer), layer: layer, cached, on: states, position: position, caches: caches)
                }
                try engine.checkFinite(states, path: model.path, place: "the last layer")
                try engine.logits(of: Array(0..<count), norm: model.outputNorm, head: model.outputHead, cached, on: states, into: logits)
                for text in 0..<count {
                    if ends.contains(batch[text][position]) {
                        batch[text].append(begin)
                    } else {
                        let row = UnsafeBufferPointer(start: logits + text * engine.logitsStride, count: configuration.vocabulary)
                        batch[text].append(Int32(generators[text].choose(row)))
                    }
                }
                done += 1
                progress(done / steps)
            }
            texts += batch
        }
        return texts
    }
}

/// Draws from the distribution that logits describe.
struct CategoricalSampler {
    private var random: SplitMix64

    init(seed: UInt64) { random = SplitMix64(seed: seed) }

    mutating func choose(_ logits: UnsafeBufferPointer<Float>) -> Int {
        let largest = logits.max() ?? 0
        var sum = 0.0
        for value in logits { sum += exp(Double(value - largest)) }
        var rest = random.uniform() * sum
        for (index, value) in logits.enumerated() {
            rest -= exp(Double(value - largest))
            if rest < 0 { return index }
        }
        return logits.count - 1
    }
}
