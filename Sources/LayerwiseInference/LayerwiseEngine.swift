package import Architectures
import Glibc
package import Kernels
import Synchronization
import Tensors

/// Runs a LLaMA one layer at a time over many windows of text: the residual stream of all windows stays in memory, the weights of a layer
/// come and go. Windows do not see each other; inside one, attention is causal.
///
/// With int8 products every token gets the same bits as from an `Inference` session with the same cache element and precision.
///
/// *Threads*: one caller at a time.
package final class LayerwiseEngine {
    package let configuration: LlamaConfiguration
    package let windowSize: Int
    /// Windows that go through a layer together.
    package let groupWindows: Int
    let kernels: KernelSet
    let pool: WorkerPool
    let buffers: LayerBuffers
    /// [position][half head] each.
    let cosines, sines: [Float]

    /// - Parameter codes: whether an arithmetic with int8 products will be used.
    package init(configuration: LlamaConfiguration, windowSize: Int, groupWindows: Int, codes: Bool, kernels: KernelSet, pool: WorkerPool) {
        precondition(windowSize >= 1 && groupWindows >= 1, "\(groupWindows) windows of \(windowSize)")
        self.configuration = configuration
        self.windowSize = windowSize
        self.groupWindows = groupWindows
        self.kernels = kernels
        self.pool = pool
        buffers = LayerBuffers(configuration, tokens: groupWindows * windowSize, windowSize: windowSize, codes: codes, threads: pool.threads)
        let frequencies = configuration.inverseFrequencies()
        // In f32 throughout, as the reference implementation does.
        let angles = (0..<windowSize).flatMap { position in frequencies.map { Float(position) * $0 } }
        cosines = angles.map { cosf($0) }
        sines = angles.map { sinf($0) }
    }

    /// Bytes of working memory for that many tokens, without the residual streams.
    package static func workingBytes(_ configuration: LlamaConfiguration, tokens: Int, codes: Bool, threads: Int) -> Int {
        LayerBuffers.byteCount(configuration, tokens: tokens, codes: codes, threads: threads)
    }

    /// Groups of windows as ranges of tokens.
    package func groups(of states: HiddenStates) -> [Range<Int>] {
        stride(from: 0, to: states.windows, by: groupWindows).map {
            $0 * windowSize..<min($0 + groupWindows, states.windows) * windowSize
        }
    }

    // MARK: Parts of a model

    /// states = embedding[token]
    package func embed(_ tokens: [Int32], from embedding: any PanelSource, into states: HiddenStates) throws {
        precondition(tokens.count == states.tokens, "\(tokens.count) tokens for \(states.tokens)")
        precondition(tokens.allSatisfy { $0 >= 0 && Int($0) < configuration.vocabulary }, "a token outside the vocabulary")
        try each(tokens.count, chunk: 64) { token, mine in
            try embedding.row(Int(tokens[token]), with: kernels, scratch: mine.source, into: states.row(token))
        }
    }

    /// What an observer of a layer's inputs gets to see.
    package struct ObservedInput {
        package let input: LinearInput
        /// In groups of 12 tokens.
        package let rows: FloatRows
        package let tokens: Int
    }
    package typealias Observer = (ObservedInput) throws -> Void

    /// Takes the residual stream through one layer.
    package func run(_ weights: LayerWeights, _ arithmetic: LayerArithmetic, on states: HiddenStates, observer: Observer? = nil) throws {
        precondition(states.windowSize == windowSize, "windows of \(states.windowSize), expected \(windowSize)")
        for tokens in groups(of: states) {
            try attentionInput(weights, arithmetic, states, tokens)
            try observer?(ObservedInput(input: .queryKeyValue, rows: buffers.normed.floats, tokens: tokens.count))
            try attention(weights, arithmetic, tokens.count)
            try observer?(ObservedInput(input: .attentionOutput, rows: buffers.mixed.floats, tokens: tokens.count))
            try accumulate(weights.output, buffers.mixed, arithmetic, states, tokens)
            try feedForwardInput(weights, arithmetic, states, tokens)
            try observer?(ObservedInput(input: .gateUp, rows: buffers.normed.floats, tokens: tokens.count))
            try gateAndUp(weights, arithmetic, tokens.count)
            try observer?(ObservedInput(input: .down, rows: buffers.inner.floats, tokens: tokens.count))
            try accumulate(weights.down, buffers.inner, arithmetic, states, tokens)
        }
    }

    /// The output head's input for some tokens, which then is what `observer` sees.
    package func observeOutput(norm: [Float], tokens: Range<Int>, of states: HiddenStates, observer: Observer) throws {
        try normalize(norm, .floats, tokens.map { $0 }, states)
        try observer(ObservedInput(input: .outputHead, rows: buffers.normed.floats, tokens: tokens.count))
    }

    package var logitsStride: Int { (configuration.vocabulary + 15) / 16 * 16 }

    /// out[index][logitsStride] = head(norm(states[tokens[index]])); up to `groupWindows` x `windowSize` tokens.
    package func logits(
        of tokens: [Int], norm: [Float], head: any PanelSource, _ arithmetic: LayerArithmetic, on states: HiddenStates,
        into out: UnsafeMutablePointer<Float>
    ) throws {
        try normalize(norm, arithmetic, tokens, states)
        try products([head], by: buffers.normed, tokens: tokens.count, arithmetic) { _, panels in
            (out + panels.lowerBound * PanelLayout.rowsPerPanel, self.logitsStride)
        }
    }

    /// Throws when a value is infinite or no number: `place` says behind what.
    package func checkFinite(_ states: HiddenStates, path: String, place: String) throws {
        try each(states.tokens, chunk: 64) { token, _ in
            let row = states.row(token)
            var largest: UInt32 = 0
            for index in 0..<configuration.hiddenSize { largest = max(largest, row[index].bitPattern & 0x7FFF_FFFF) }
            if largest >= 0x7F80_0000 {
                throw LayerwiseError(
                    path: path, "values behind \(place) at position \(token % states.windowSize) of a window are not finite, so no figure of this model means anything; check the weights")
            }
        }
    }

    // MARK: Parts of a layer

    /// normed = norm(states)
    func attentionInput(_ weights: LayerWeights, _ arithmetic: LayerArithmetic, _ states: HiddenStates, _ tokens: Range<Int>) throws {
        try normalize(weights.attentionNorm, arithmetic, Array(tokens), states)
    }

    func feedForwardInput(_ weights: LayerWeights, _ arithmetic: LayerArithmetic, _ states: HiddenStates, _ tokens: Range<Int>) throws {
        try normalize(weights.feedForwardNorm, arithmetic, Array(tokens), states)
    }

    private func normalize(_ norm: [Float], _ arithmetic: LayerArithmetic, _ tokens: [Int], _ states: HiddenStates) throws {
        precondition(tokens.count <= buffers.tokens, "\(tokens.count) tokens, room for \(buffers.tokens)")
        let hidden = configuration.hiddenSize
        try each(tokens.count, chunk: 32) { index, mine in
            norm.withUnsafeBufferPointer {
                kernels.rmsNorm(
                    states.row(tokens[index]), weight: $0.baseAddress!, count: hidden, epsilon: Float(configuration.normEpsilon), into: mine.row)
            }
            buffers.normed.store(mine.row, columns: 0..<hidden, token: index, arithmetic: arithmetic, with: kernels)
        }
    }

    /// inner = silu(gate normed) x up normed
    func gateAndUp(_ weights: LayerWeights, _ arithmetic: LayerArithmetic, _ count: Int) throws {
        let units = units(of: weights.gate.panels)
        try each(units.count, chunk: 1) { index, mine in
            let panels = units[index]
            let stride = panels.count * PanelLayout.rowsPerPanel, first = panels.lowerBound * PanelLayout.rowsPerPanel
            try product(weights.gate, panels, buffers.normed, count, arithmetic, mine, into: mine.product, stride: stride)
            try product(weights.up, panels, buffers.normed, count, arithmetic, mine, into: mine.second, stride: stride)
            let rows = min(stride, weights.gate.rows - first)
            for token in 0..<count {
                let values = mine.product + token * stride
                kernels.swiglu(gate: values, up: mine.second + token * stride, count: rows)
                buffers.inner.store(values, columns: first..<first + rows, token: token, arithmetic: arithmetic, with: kernels)
            }
        }
    }

    /// states += matrix x
    func accumulate(_ matrix: any PanelSource, _ x: LinearInputRows, _ arithmetic: LayerArithmetic, _ states: HiddenStates, _ tokens: Range<Int>) throws {
        let units = units(of: matrix.panels)
        try each(units.count, chunk: 1) { index, mine in
            let panels = units[index]
            let stride = panels.count * PanelLayout.rowsPerPanel, first = panels.lowerBound * PanelLayout.rowsPerPanel
            try product(matrix, panels, x, tokens.count, arithmetic, mine, into: mine.product, stride: stride)
            for (row, token) in tokens.enumerated() {
                kernels.add(mine.product + row * stride, to: states.row(token) + first, count: min(stride, matrix.rows - first))
            }
        }
    }

    // MARK: Products

    /// Whole matrices by `x`; `place` says where the rows of some panels go, and how far apart the tokens are there.
    func products(
        _ matrices: [any PanelSource], by x: LinearInputRows, tokens: Int, _ arithmetic: LayerArithmetic,
        place: (_ matrix: Int, _ panels: Range<Int>) -> (UnsafeMutablePointer<Float>, Int)
    ) throws {
        let items = matrices.indices.flatMap { matrix in units(of: matrices[matrix].panels).map { (matrix, $0) } }
        try each(items.count, chunk: 1) { index, mine in
            let (matrix, panels) = items[index]
            let (out, stride) = place(matrix, panels)
            try product(matrices[matrix], panels, x, tokens, arithmetic, mine, into: out, stride: stride)
        }
    }

    private func product(
        _ matrix: any PanelSource, _ panels: Range<Int>, _ x: LinearInputRows, _ tokens: Int, _ arithmetic: LayerArithmetic, _ mine: LayerBuffers.ThreadMemory,
        into out: UnsafeMutablePointer<Float>, stride: Int
    ) throws {
        if case .int8(let precision) = arithmetic.products, let view = matrix.quantized {
            guard let codes = x.codes else { preconditionFailure("an engine without int8 activations") }
            return view.multiply(panels: panels, by: codes.view, tokens: tokens, precision: precision, scratch: mine.tiles, into: out, stride: stride)
        }
        precondition(matrix.columns == x.floats.columns && tokens <= x.floats.tokens, "\(matrix.columns) matrix columns, \(x.floats.columns) activations")
        for (index, panel) in panels.enumerated() {
            try matrix.expand(panel: panel, with: kernels, scratch: mine.source, into: mine.panels + index * buffers.panelStride)
        }
        kernels.multiplyFloats(
            panels: mine.panels, count: panels.count, panelStride: buffers.panelStride, columns: matrix.columns, by: x.floats.groups, tokens: tokens,
            into: out, stride: stride)
    }

    /// Ranges of panels, each a thread's work at a time: at least two, so that their rows fill blocks of 32, and several for each thread.
    private func units(of panels: Int) -> [Range<Int>] {
        let size = min(LayerBuffers.panelsPerUnit, max(2, panels / (4 * pool.threads) / 2 * 2))
        return stride(from: 0, to: panels, by: size).map { $0..<min($0 + size, panels) }
    }

    /// Calls `body` for 0 ..< count on all threads; the first error ends it.
    func each(_ count: Int, chunk: Int, _ body: (_ index: Int, _ mine: LayerBuffers.ThreadMemory) throws -> Void) throws {
        let failure = Mutex<(any Error)?>(nil)
        let failed = Atomic(false)
        pool.forEachChunk(of: count, chunk: chunk) { indices, thread in
            for index in indices {
                if failed.load(ordering: .relaxed) { return }
                do { try body(index, buffers.threads[thread]) } catch {
                    failure.withLock { $0 = $0 ?? error }
                    failed.store(true, ordering: .relaxed)
                }
            }
        }
        if let error = failure.withLock({ $0 }) { throw error }
    }
}
