import Architectures
import Glibc
package import Kernels
package import LayerwiseInference

/// A model and a way of computing it.
package struct EvaluatedVariant: Sendable {
    package let model: any LayerwiseModel
    package let arithmetic: LayerArithmetic

    package init(model: any LayerwiseModel, arithmetic: LayerArithmetic) { (self.model, self.arithmetic) = (model, arithmetic) }
}

/// Runs variants of a model, and a reference, over windows of text: all of them together, layer by layer, a batch of windows at a time.
/// Weights are streamed once per batch; in memory are the batch's residual streams, the buffers of a few windows and a few panels of
/// weights. Figures of a window do not depend on the batch that it was in (requantized products: from windows of 128 tokens on, whose scored
/// half alone is enough tokens for them). Log-probabilities are f32; logits are compared as they come and never stored.
package struct StreamedEvaluation {
    package let variants: [EvaluatedVariant]
    package let reference: EvaluatedVariant?
    package let windowSize: Int
    /// Windows that go through the layers together.
    package let batchWindows: Int

    private let kernels: KernelSet
    private let pool: WorkerPool
    private let groupWindows: Int
    /// Windows whose logits are in memory together.
    private let logitWindows: Int

    private static let largestGroup = 4
    /// Enough windows that reading a layer costs little beside computing with it, few enough that an interruption loses little.
    private static let largestBatch = 16, batchPerThread = 2
    private static let logitBytes = 512 << 20

    private var all: [EvaluatedVariant] { variants + (reference.map { [$0] } ?? []) }

    /// All models have the same vocabulary.
    ///
    /// - Parameter budget: bytes of memory to use; one window is the least whatever it says.
    package init(
        variants: [EvaluatedVariant], reference: EvaluatedVariant?, windowSize: Int = TextWindows.standardSize, budget: Int, kernels: KernelSet, pool: WorkerPool
    ) {
        precondition(!variants.isEmpty, "nothing to evaluate")
        (self.variants, self.reference, self.windowSize, self.kernels, self.pool) = (variants, reference, windowSize, kernels, pool)
        let all = variants + (reference.map { [$0] } ?? [])
        let vocabulary = variants[0].model.configuration.vocabulary
        precondition(all.allSatisfy { $0.model.configuration.vocabulary == vocabulary }, "models of different vocabularies")
        let logits = all.count * (windowSize - windowSize / 2 - 1) * (vocabulary + 16) * 4
        let together = max(1, min(Self.largestGroup, Self.logitBytes / logits))
        let codes = all.contains { $0.arithmetic.products != .floats }
        let perWindow = all.reduce(0) { $0 + HiddenStates.byteCount(windows: 1, windowSize: windowSize, configuration: $1.model.configuration) }
        func working(_ group: Int) -> Int {
            logits * together + LayerwiseEngine.workingBytes(variants[0].model.configuration, tokens: group * windowSize, codes: codes, threads: pool.threads)
        }
        var group = Self.largestGroup
        while group > 1, working(group) + group * perWindow > budget { group -= 1 }
        batchWindows = max(group, min(max(Self.largestBatch, Self.batchPerThread * pool.threads), (budget - working(group)) / perWindow))
        groupWindows = group
        logitWindows = together
    }

    package struct Progress {
        /// Windows whose figures are complete, and how many there will be.
        package let finished: [WindowFigures]
        package let windows: Int
        /// Of the windows in work: what part of the way they have gone, in windows.
        package let underWay: Double
    }

    /// - Parameters:
    ///   - finished: figures of the first windows from an earlier run with the same models, windows and arithmetic.
    ///   - progress: called after each layer and each batch; returning false ends the run there.
    /// - Returns: figures of all windows, or of those that were finished.
    package func run(_ text: TextWindows, finished: [WindowFigures] = [], progress: (Progress) -> Bool) throws -> [WindowFigures] {
        precondition(text.size == windowSize && finished.count <= text.windows.count, "windows of \(text.size), \(finished.count) finished")
        var figures = finished
        let engines = makeEngines()
        while figures.count < text.windows.count {
            let batch = Array(text.windows[figures.count..<min(figures.count + batchWindows, text.windows.count)])
            guard let results = try run(batch, text.scored, engines, progress: { part in
                progress(Progress(finished: figures, windows: text.windows.count, underWay: part * Double(batch.count)))
            }) else { return figures }
            figures += results
            guard progress(Progress(finished: figures, windows: text.windows.count, underWay: 0)) else { return figures }
        }
        return figures
    }

    /// One per entry of `all`; models of equal shape share one.
    private func makeEngines() -> [LayerwiseEngine] {
        var engines: [LayerwiseEngine] = []
        let codes = all.contains { $0.arithmetic.products != .floats }
        for variant in all {
            let configuration = variant.model.configuration
            engines.append(
                engines.first { $0.configuration == configuration }
                    ?? LayerwiseEngine(
                        configuration: configuration, windowSize: windowSize, groupWindows: groupWindows, codes: codes, kernels: kernels, pool: pool))
        }
        return engines
    }

    /// Nil when `progress`, which is told the part of the way, says to end.
    private func run(_ batch: [[Int32]], _ scored: Range<Int>, _ engines: [LayerwiseEngine], progress: (Double) -> Bool) throws -> [WindowFigures]? {
        let tokens = batch.flatMap { $0 }
        let states = zip(all, engines).map { variant, engine in
            HiddenStates(windows: batch.count, windowSize: windowSize, configuration: engine.configuration)
        }
        for (index, variant) in all.enumerated() { try engines[index].embed(tokens, from: variant.model.embedding, into: states[index]) }
        let layers = all.map(\.model.configuration.layers)
        let models = distinctModels()
        let steps = Double(layers.max()! + 1)
        for model in models { model.willNeed(layer: 0) }
        for layer in 0..<layers.max()! {
            for model in models where layer < model.configuration.layers { model.willNeed(layer: layer + 1) }
            for (index, variant) in all.enumerated() where layer < layers[index] {
                try engines[index].run(try variant.model.layer(layer), variant.arithmetic, on: states[index])
                try engines[index].checkFinite(states[index], path: variant.model.path, place: "layer \(layer)")
            }
            for model in models where layer < model.configuration.layers { model.finished(layer: layer) }
            if !progress(Double(layer + 1) / steps) { return nil }
        }
        let results = try compare(batch, scored, engines, states)
        for model in models { model.finished(layer: model.configuration.layers) }
        return results
    }

    private func distinctModels() -> [any LayerwiseModel] {
        all.reduce(into: []) { models, variant in if !models.contains(where: { $0 === variant.model }) { models.append(variant.model) } }
    }

    // MARK: Logits

    private func compare(_ batch: [[Int32]], _ scored: Range<Int>, _ engines: [LayerwiseEngine], _ states: [HiddenStates]) throws -> [WindowFigures] {
        let stride = engines[0].logitsStride
        // A group is never smaller than what fits here.
        let step = min(logitWindows, groupWindows)
        let buffers = all.map { _ in aligned_alloc(64, step * scored.count * stride * 4)!.assumingMemoryBound(to: Float.self) }
        defer { for buffer in buffers { free(buffer) } }
        var results: [WindowFigures] = []
        for first in Swift.stride(from: 0, to: batch.count, by: step) {
            let windows = first..<min(first + step, batch.count)
            let positions = windows.flatMap { window in scored.map { window * windowSize + $0 } }
            for (index, variant) in all.enumerated() {
                try engines[index].logits(
                    of: positions, norm: variant.model.outputNorm, head: variant.model.outputHead, variant.arithmetic, on: states[index], into: buffers[index])
            }
            let targets = windows.flatMap { window in scored.map { batch[window][$0 + 1] } }
            let figures = measure(buffers, stride: stride, targets: targets)
            for index in windows.indices {
                results.append(try window(figures, rows: (index - windows.lowerBound) * scored.count..<(index - windows.lowerBound + 1) * scored.count))
            }
        }
        return results
    }

    /// Figures of one prediction: [row][model]; the reference last.
    private struct Row {
        var logLoss = [Double]()
        var divergence = [Double]()
        var isSameTop = [Bool]()
    }

    private func measure(_ logits: [UnsafeMutablePointer<Float>], stride: Int, targets: [Int32]) -> [Row] {
        let vocabulary = variants[0].model.configuration.vocabulary
        var rows = [Row](repeating: Row(), count: targets.count)
        rows.withUnsafeMutableBufferPointer { rows in
            // Safe: every chunk writes its own elements.
            nonisolated(unsafe) let rows = rows
            pool.forEachChunk(of: targets.count, chunk: 8) { indices, _ in
                for index in indices {
                    let values = logits.map { UnsafePointer($0 + index * stride) }
                    let sums = values.map { kernels.logSumExp($0, count: vocabulary) }
                    var row = Row()
                    row.logLoss = zip(values, sums).map { $1 - Double($0[Int(targets[index])]) }
                    if reference != nil {
                        let base = values.count - 1, top = Self.likeliest(values[base], vocabulary)
                        for variant in 0..<base {
                            row.divergence.append(kernels.klDivergence(values[base], logSum: sums[base], from: values[variant], logSum: sums[variant], count: vocabulary))
                            row.isSameTop.append(Self.likeliest(values[variant], vocabulary) == top)
                        }
                    }
                    rows[index] = row
                }
            }
        }
        return rows
    }

    /// The lowest id of the likeliest tokens.
    private static func likeliest(_ logits: UnsafePointer<Float>, _ count: Int) -> Int {
        var best = 0
        for index in 1..<max(count, 1) where logits[index] > logits[best] { best = index }
        return best
    }

    private func window(_ figures: [Row], rows: Range<Int>) throws -> WindowFigures {
        var result = WindowFigures(variants: variants.count)
        for row in figures[rows] {
            for (index, value) in row.logLoss.enumerated() where !value.isFinite {
                throw LayerwiseError(path: all[index].model.path, "logits are not finite, so no figure of this model means anything; check the weights")
            }
            if reference != nil { result.referenceLogLoss.append(row.logLoss[variants.count]) }
            for index in variants.indices {
                result.variants[index].logLoss.append(row.logLoss[index])
                guard reference != nil else { continue }
                result.variants[index].divergence.append(row.divergence[index])
                result.variants[index].isSameTop.append(row.isSameTop[index])
            }
        }
        return result
    }
}
