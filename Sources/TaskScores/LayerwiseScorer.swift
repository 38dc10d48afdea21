import Architectures
import Glibc
package import Kernels
package import LayerwiseInference

/// Scores many questions together, layer by layer, for models that memory does not hold: an original checkpoint, or a file larger than memory. The
/// weights are read once per batch of questions. Figures do not depend on the batch.
package final class LayerwiseScorer: QuestionScorer {
    private let model: any LayerwiseModel
    private let arithmetic: LayerArithmetic
    private let budget: Int
    private let kernels: KernelSet
    private let pool: WorkerPool

    /// Tokens of a batch: so many that reading a layer costs little beside computing with it, so few that an interruption loses little.
    private static let largestBatch = 16_384
    /// Tokens that go through a layer together, and rows of logits in memory.
    private static let groupTokens = 2_048, logitRows = 256

    /// - Parameter budget: bytes of memory to use; one question is the least whatever it says.
    package init(model: any LayerwiseModel, arithmetic: LayerArithmetic, budget: Int, kernels: KernelSet, pool: WorkerPool) {
        (self.model, self.arithmetic, self.budget, self.kernels, self.pool) = (model, arithmetic, budget, kernels, pool)
    }

    /// A text that goes through the model, and what is asked about it.
    private struct Window {
        let tokens: [Int32]
        /// Position, token that follows, item and choice that it counts for.
        var asked: [(position: Int, token: Int32, item: Int, choice: Int)]
    }
    private struct Item {
        let group, index: Int
        let question: TokenizedQuestion
    }

    package func score(
        _ groups: [[TokenizedQuestion]], isDone: (Int, Int) -> Bool, found: (Int, Int, [Double]) throws -> Void, progress: (Double) -> Void
    ) throws {
        var items = groups.enumerated().flatMap { group, questions in
            questions.enumerated().compactMap { index, question in isDone(group, index) ? nil : Item(group: group, index: index, question: question) }
        }
        // Texts of a batch are padded to the longest.
        items.sort { ($0.question.longest, $0.group, $0.index) < ($1.question.longest, $1.group, $1.index) }
        let configuration = model.configuration
        let tokenBytes = HiddenStates.byteCount(windows: 1, windowSize: 1, configuration: configuration)
        let largest = max(1, min(Self.largestBatch, budget / 2 / tokenBytes))
        var read = 0.0, next = 0
        while next < items.count {
            var windows: [Window] = [], batch: [Item] = [], size = 0
            while next < items.count {
                let own = Self.windows(items[next].question, item: batch.count)
                let longest = max(size, own.map(\.tokens.count).max()!)
                guard batch.isEmpty || (windows.count + own.count) * longest <= largest else { break }
                windows += own
                batch.append(items[next])
                (size, next) = (longest, next + 1)
            }
            let tokens = Double(batch.reduce(0) { $0 + $1.question.tokens })
            let sums = try run(windows, size: size, batch: batch) { progress(read + $0 * tokens) }
            for (item, sums) in zip(batch, sums) { try found(item.group, item.index, sums) }
            read += tokens
            progress(read)
        }
    }

    /// One for a context whose choices are single tokens, else one for each choice.
    private static func windows(_ question: TokenizedQuestion, item: Int) -> [Window] {
        var windows: [Window] = []
        for (place, context) in question.contexts.enumerated() {
            var single = Window(tokens: context, asked: [])
            for (index, choice) in question.choices.enumerated() where choice.context == place {
                let asked = choice.continuation.enumerated().map { (position: context.count - 1 + $0, token: $1, item: item, choice: index) }
                if asked.count == 1 { single.asked += asked } else { windows.append(Window(tokens: context + choice.continuation.dropLast(), asked: asked)) }
            }
            if !single.asked.isEmpty { windows.append(single) }
        }
        return windows
    }

    private func run(_ windows: [Window], size: Int, batch: [Item], progress: (Double) -> Void) throws -> [[Double]] {
        let configuration = model.configuration
        let isInteger = arithmetic.products != .floats
        var group = max(1, min(windows.count, Self.groupTokens / size))
        while group > 1, LayerwiseEngine.workingBytes(configuration, tokens: group * size, codes: isInteger, threads: pool.threads) > budget / 2 { group -= 1 }
        let engine = LayerwiseEngine(configuration: configuration, windowSize: size, groupWindows: group, codes: isInteger, kernels: kernels, pool: pool)
        let states = HiddenStates(windows: windows.count, windowSize: size, configuration: configuration)
        // What stands behind a text changes nothing in it: attention looks back only.
        let tokens = windows.flatMap { $0.tokens + [Int32](repeating: 0, count: size - $0.tokens.count) }
        try engine.embed(tokens, from: model.embedding, into: states)
        let layers = configuration.layers
        model.willNeed(layer: 0)
        for layer in 0..<layers {
            model.willNeed(layer: layer + 1)
            try engine.run(try model.layer(layer), arithmetic, on: states)
            try engine.checkFinite(states, path: model.path, place: "layer \(layer)")
            model.finished(layer: layer)
            progress(Double(layer + 1) / Double(layers + 1))
        }
        var sums = batch.map { [Double](repeating: 0, count: $0.question.choices.count) }
        let asked = windows.enumerated().flatMap { window, content in content.asked.map { (row: window * size + $0.position, $0) } }
        try ask(asked, engine, states, rows: min(Self.logitRows, group * size)) { sums[$0.item][$0.choice] += $1 }
        model.finished(layer: layers)
        return sums
    }

    private typealias Question = (position: Int, token: Int32, item: Int, choice: Int)

    /// Log-probabilities of single tokens. Several questions about one row are asked together.
    private func ask(
        _ asked: [(row: Int, Question)], _ engine: LayerwiseEngine, _ states: HiddenStates, rows: Int, answer: (Question, Double) -> Void
    ) throws {
        let stride = engine.logitsStride, vocabulary = model.configuration.vocabulary
        let distinct = asked.map(\.row).reduce(into: [Int]()) { if $0.last != $1 { $0.append($1) } }
        let buffer = aligned_alloc(64, rows * stride * 4)!.assumingMemoryBound(to: Float.self)
        defer { free(buffer) }
        var next = 0
        for first in Swift.stride(from: 0, to: distinct.count, by: rows) {
            let part = distinct[first..<min(first + rows, distinct.count)]
            try engine.logits(of: Array(part), norm: model.outputNorm, head: model.outputHead, arithmetic, on: states, into: buffer)
            for (index, row) in part.enumerated() {
                let values = buffer + index * stride
                let logSum = kernels.logSumExp(values, count: vocabulary)
                while next < asked.count, asked[next].row == row {
                    let value = Double(values[Int(asked[next].1.token)]) - logSum
                    guard value.isFinite else {
                        throw LayerwiseError(path: model.path, "logits are not finite, so no figure of this model means anything; check the weights")
                    }
                    answer(asked[next].1, value)
                    next += 1
                }
            }
        }
    }
}
