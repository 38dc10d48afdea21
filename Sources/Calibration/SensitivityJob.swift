package import Architectures
import Glibc
package import Kernels
package import LayerwiseInference
import Synchronization

/// Measures what an error of each matrix costs: the divergence of the model with noise in this matrix alone from the model as it is.
///
/// The model is gone through once. At each layer that is tried, the residual stream forks for each of its matrices; the forks go on through the
/// later layers beside the undisturbed stream.
package struct SensitivityJob {
    package let model: any LayerwiseModel
    package let windows: [[Int32]]
    package let windowSize: Int
    /// In rising order.
    package let layers: [Int]
    package let relativeError: Double
    private let scored: Range<Int>
    private let kernels: KernelSet
    private let pool: WorkerPool

    /// Small enough for the divergence to grow in proportion, large enough to stand out from rounding: about that of 4 bits.
    package static let standardError = 0.003
    package static let rolesOfLayer: [TensorRole] = [.query, .key, .value, .attentionOutput, .gate, .up, .down]

    package init(
        model: any LayerwiseModel, windows: [[Int32]], windowSize: Int = TextWindows.standardSize, scored: Range<Int>, layers: [Int],
        relativeError: Double = Self.standardError, kernels: KernelSet, pool: WorkerPool
    ) {
        precondition(!windows.isEmpty && windows.allSatisfy { $0.count == windowSize } && relativeError > 0, "windows of unequal size")
        precondition(zip(layers, layers.dropFirst()).allSatisfy { $0 < $1 } && layers.allSatisfy { $0 >= 0 && $0 < model.configuration.layers }, "layers \(layers)")
        (self.model, self.windows, self.windowSize, self.scored, self.layers) = (model, windows, windowSize, scored, layers)
        (self.relativeError, self.kernels, self.pool) = (relativeError, kernels, pool)
    }

    package struct Measured: Sendable, Equatable {
        package let role: TensorRole
        /// nil for embedding and output head.
        package let layer: Int?
        /// Mean KL divergence in nats per token over the relative squared error.
        package let value: Double

        package init(role: TensorRole, layer: Int?, value: Double) { (self.role, self.layer, self.value) = (role, layer, value) }
    }

    /// Up to `count` layers: the first and the last two, where things change fastest, the others spread evenly.
    package static func spread(_ count: Int, over layers: Int) -> [Int] {
        guard count < layers else { return Array(0..<layers) }
        var chosen = Set([0, layers - 1, 1, layers - 2].prefix(max(2, min(count, 4))))
        let inner = count - chosen.count
        for index in 0..<max(inner, 0) { chosen.insert(2 + (2 * index + 1) * (layers - 4) / (2 * inner)) }
        return chosen.sorted()
    }

    /// Bytes: all streams, the engine's buffers for one window, two windows of logits.
    package static func memory(_ configuration: LlamaConfiguration, windows: Int, windowSize: Int, layers: Int, threads: Int) -> Int {
        (2 + layers * rolesOfLayer.count) * HiddenStates.byteCount(windows: windows, windowSize: windowSize, configuration: configuration)
            + LayerwiseEngine.workingBytes(configuration, tokens: windowSize, codes: false, threads: threads)
            + 2 * (windowSize / 2) * ((configuration.vocabulary + 15) / 16 * 16) * 4
    }

    private struct Fork {
        let role: TensorRole
        let layer: Int?
        let states: HiddenStates
    }

    /// - Parameter progress: told the part of the way, in 0 ... 1.
    package func run(progress: (Double) -> Void) throws -> [Measured] {
        let configuration = model.configuration
        let engine = LayerwiseEngine(configuration: configuration, windowSize: windowSize, groupWindows: 1, codes: false, kernels: kernels, pool: pool)
        func makeStates() -> HiddenStates { HiddenStates(windows: windows.count, windowSize: windowSize, configuration: configuration) }
        let states = makeStates(), tokens = windows.flatMap { $0 }
        try engine.embed(tokens, from: model.embedding, into: states)
        var forks = [Fork(role: .tokenEmbedding, layer: nil, states: makeStates())]
        try engine.embed(tokens, from: noisy(model.embedding, .tokenEmbedding, nil), into: forks[0].states)

        let total = Double(configuration.layers + 1) + Double(layers.reduce(0) { $0 + Self.rolesOfLayer.count * (configuration.layers - $1) }) + Double(configuration.layers)
        var done = 0.0
        model.willNeed(layer: 0)
        for layer in 0..<configuration.layers {
            model.willNeed(layer: layer + 1)
            let weights = try model.layer(layer)
            func advance(_ states: HiddenStates, _ weights: LayerWeights) throws {
                try engine.run(weights, .floats, on: states)
                done += 1
                progress(done / total)
            }
            for fork in forks { try advance(fork.states, weights) }
            if layers.contains(layer) {
                for role in Self.rolesOfLayer {
                    let fork = Fork(role: role, layer: layer, states: makeStates())
                    fork.states.bytes.copyMemory(from: UnsafeRawBufferPointer(states.bytes))
                    try advance(fork.states, noisy(weights, role, layer))
                    forks.append(fork)
                }
            }
            try advance(states, weights)
            try engine.checkFinite(states, path: model.path, place: "layer \(layer)")
            model.finished(layer: layer)
        }
        let measured = try compare(engine, states, forks)
        model.finished(layer: configuration.layers)
        progress(1)
        return measured
    }

    private func compare(_ engine: LayerwiseEngine, _ states: HiddenStates, _ forks: [Fork]) throws -> [Measured] {
        let stride = engine.logitsStride, vocabulary = model.configuration.vocabulary
        let logits = aligned_alloc(64, 2 * scored.count * stride * 4)!.assumingMemoryBound(to: Float.self), own = logits + scored.count * stride
        defer { free(logits) }
        let head = model.outputHead, noisyHead = noisy(head, .outputHead, nil)
        let tied = model.configuration.tiesEmbeddings
        var sums = [Double](repeating: 0, count: forks.count + 1)
        for window in windows.indices {
            let positions = scored.map { window * windowSize + $0 }
            func compute(_ states: HiddenStates, _ head: any PanelSource, _ out: UnsafeMutablePointer<Float>) throws {
                try engine.logits(of: positions, norm: model.outputNorm, head: head, .floats, on: states, into: out)
            }
            try compute(states, head, logits)
            for index in sums.indices {
                let fork = index < forks.count ? forks[index] : nil
                try compute(fork?.states ?? states, fork == nil || (tied && fork?.role == .tokenEmbedding) ? noisyHead : head, own)
                sums[index] += divergence(logits, own, stride: stride, vocabulary: vocabulary)
            }
        }
        let count = Double(windows.count * scored.count) * relativeError
        return sums.indices.map { index in
            let fork = index < forks.count ? forks[index] : nil
            return Measured(role: fork?.role ?? .outputHead, layer: fork?.layer, value: max(sums[index] / count, 0))
        }
    }

    private func divergence(_ one: UnsafeMutablePointer<Float>, _ other: UnsafeMutablePointer<Float>, stride: Int, vocabulary: Int) -> Double {
        var rows = [Double](repeating: 0, count: scored.count)
        rows.withUnsafeMutableBufferPointer { rows in
            // Safe: every chunk writes its own elements.
            nonisolated(unsafe) let rows = rows
            pool.forEachChunk(of: scored.count, chunk: 8) { indices, _ in
                for index in indices {
                    let values = (UnsafePointer(one + index * stride), UnsafePointer(other + index * stride))
                    rows[index] = kernels.klDivergence(
                        values.0, logSum: kernels.logSumExp(values.0, count: vocabulary), from: values.1,
                        logSum: kernels.logSumExp(values.1, count: vocabulary), count: vocabulary)
                }
            }
        }
        return rows.reduce(0, +)
    }

    // MARK: Noise

    private func noisy(_ matrix: any PanelSource, _ role: TensorRole, _ layer: Int?) -> any PanelSource {
        // An embedding that is the output head has the same noise in both places.
        let kind = role == .outputHead && model.configuration.tiesEmbeddings ? TensorRole.tokenEmbedding : role
        let number = UInt64(TensorRole.allCases.firstIndex(of: kind)!) + 16 * UInt64((layer ?? -1) + 1)
        return NoisyPanels(matrix, relativeError: relativeError, seed: number &* 0x9E6C_63D0_876A_68DE)
    }

    private func noisy(_ weights: LayerWeights, _ role: TensorRole, _ layer: Int) -> LayerWeights {
        var weights = weights
        let path: WritableKeyPath<LayerWeights, any PanelSource> = switch role {
        case .query: \.query
        case .key: \.key
        case .value: \.value
        case .attentionOutput: \.output
        case .gate: \.gate
        case .up: \.up
        case .down: \.down
        default: preconditionFailure("\(role) is in no layer")
        }
        weights[keyPath: path] = noisy(weights[keyPath: path], role, layer)
        return weights
    }
}

extension SensitivityJob {
    /// The value of a matrix: measured, or between the nearest measured layers by the logarithm.
    package static func value(_ role: TensorRole, layer: Int?, of measured: [Measured]) -> Double {
        let own = measured.filter { $0.role == role }
        if let exact = own.first(where: { $0.layer == layer }) { return exact.value }
        guard let layer else { preconditionFailure("\(role) was not measured") }
        let below = own.filter { $0.layer! < layer }.max { $0.layer! < $1.layer! }, above = own.filter { $0.layer! > layer }.min { $0.layer! < $1.layer! }
        guard let below, let above else { return (below ?? above)!.value }
        guard below.value > 0, above.value > 0 else { return (below.value + above.value) / 2 }
        let part = Double(layer - below.layer!) / Double(above.layer! - below.layer!)
        return exp(log(below.value) * (1 - part) + log(above.value) * part)
    }
}
