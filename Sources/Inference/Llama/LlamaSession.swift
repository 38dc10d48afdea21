import Glibc
package import Kernels
import ModelFiles
import Tensors

/// Runs a model over tokens: owns the key-value cache and the working memory, borrows the weights and the threads.
///
/// *Threads*: one caller at a time.
package final class LlamaSession {
    package enum Logits: Sendable { case none, last, all }

    package let model: LlamaModel
    package let cache: KeyValueCache
    /// Tokens that go through the layers together.
    package let batch: Int
    /// Tokens per pass whose logits can be asked for.
    package let logitRows: Int
    /// Reads the weights that memory does not hold; nil where it holds all.
    package var weightStream: WeightStream?
    private let pool: WorkerPool
    private let kernels: KernelSet
    private let shape: LlamaShape
    private let buffers: LlamaBuffers
    /// [position][half head] each.
    private let cosines, sines: UnsafeMutablePointer<Float>

    /// - Parameters:
    ///   - context: positions to make room for.
    ///   - batch: largest number of tokens per pass.
    ///   - logitRows: tokens per pass whose logits there is room for, at most `batch`; `allLogits` makes room for those of each.
    package init(
        model: LlamaModel, context: Int, batch: Int = 64, allLogits: Bool = false, logitRows: Int = 1, element: KeyValueCache.Element,
        kernels: KernelSet, pool: WorkerPool
    ) throws(InferenceError) {
        precondition(context >= 1 && batch >= 1 && logitRows >= 1, "context \(context), batch \(batch), \(logitRows) rows of logits")
        self.model = model
        self.kernels = kernels
        self.pool = pool
        self.batch = batch
        self.logitRows = allLogits ? batch : min(batch, logitRows)
        shape = model.shape
        cache = try KeyValueCache(layers: shape.layers, context: context, width: shape.keyValueHeads * shape.headSize, element: element)
        buffers = LlamaBuffers(shape: shape, tokens: batch, logitRows: self.logitRows, context: context, threads: pool.threads)
        let half = shape.headSize / 2
        cosines = .allocate(capacity: context * half)
        sines = .allocate(capacity: context * half)
        for position in 0..<context {
            for index in 0..<half {
                // In f32 throughout, as the reference implementation does.
                let angle = Float(position) * model.inverseFrequencies[index]
                cosines[position * half + index] = cosf(angle)
                sines[position * half + index] = sinf(angle)
            }
        }
    }

    deinit {
        cosines.deallocate()
        sines.deallocate()
    }

    package var logitsStride: Int { buffers.logitsStride }

    /// Feeds up to `batch` tokens at the cache's end.
    ///
    /// - Returns: logits [row][logitsStride], the first `vocabulary` of each row valid until the next call: of the last token, or of all.
    package func append(_ tokens: ArraySlice<Int32>, logits: Logits) throws(InferenceError) -> UnsafePointer<Float> {
        let count = tokens.count
        precondition(count >= 1 && count <= batch, "\(count) tokens in a batch of \(batch)")
        precondition(logits != .all || count <= logitRows, "logits of \(count) tokens, room for \(logitRows)")
        let start = cache.count
        guard start + count <= cache.context else { throw .contextFull(needed: start + count, context: cache.context) }
        for (row, token) in tokens.enumerated() {
            precondition(token >= 0 && Int(token) < shape.vocabulary, "token \(token) of a vocabulary of \(shape.vocabulary)")
            kernels.row(Int(token), of: model.weights.embedding, into: buffers.hidden + row * buffers.hiddenStride)
        }
        for layer in 0..<shape.layers {
            weightStream?.reached(unit: layer)
            attention(layer, start: start, count: count)
            feedForward(layer, count: count)
        }
        for token in 0..<count where !Self.isFinite(buffers.hidden + token * buffers.hiddenStride, count: shape.hidden) {
            throw .notFinite(path: model.reader.path, position: start + token)
        }
        cache.count = start + count
        weightStream?.reached(unit: shape.layers)
        if logits != .none { output(first: logits == .all ? 0 : count - 1, count: logits == .all ? count : 1) }
        weightStream?.finishedPass()
        for row in 0..<(logits == .none ? 0 : logits == .all ? count : 1) {
            if !Self.isFinite(buffers.logits + row * buffers.logitsStride, count: shape.vocabulary) {
                throw .notFinite(path: model.reader.path, position: logits == .all ? start + row : start + count - 1)
            }
        }
        return UnsafePointer(buffers.logits)
    }

    private static func isFinite(_ values: UnsafePointer<Float>, count: Int) -> Bool {
        var largest: UInt32 = 0
        for index in 0..<count { largest = max(largest, values[index].bitPattern & 0x7FFF_FFFF) }
        return largest < 0x7F80_0000
    }

    /// hidden += o(attention(rope(q), rope(k), v)) of norm(hidden)
    private func attention(_ layer: Int, start: Int, count: Int) {
        let weights = model.weights.layers[layer]
        let b = buffers
        normalize(weights.attentionNorm, count: count)
        multiply(
            [(weights.query, b.query, b.queryStride), (weights.key, b.key, b.keyStride), (weights.value, b.value, b.keyStride)],
            by: b.normed, count: count)
        perToken(count) { [self] token in
            let half = shape.headSize / 2
            let (cosines, sines) = (self.cosines + (start + token) * half, self.sines + (start + token) * half)
            let (query, key) = (b.query + token * b.queryStride, b.key + token * b.keyStride)
            for head in 0..<shape.heads { kernels.rotate(query + head * shape.headSize, cosines: cosines, sines: sines, half: half) }
            for head in 0..<shape.keyValueHeads { kernels.rotate(key + head * shape.headSize, cosines: cosines, sines: sines, half: half) }
            cache.store(layer: layer, position: start + token, keys: key, values: b.value + token * b.keyStride, with: kernels)
        }
        let scale = 1 / Float(shape.headSize).squareRoot()
        let (keys, values) = (cache.keys(layer: layer), cache.values(layer: layer))
        pool.forEachChunk(of: count * shape.heads, chunk: max(1, count * shape.heads / (pool.threads * 8))) { items, thread in
            for item in items {
                let (token, head) = item.quotientAndRemainder(dividingBy: shape.heads)
                let offset = head / (shape.heads / shape.keyValueHeads) * shape.headSize * cache.element.bytes
                kernels.attend(
                    query: b.query + token * b.queryStride + head * shape.headSize, keys: keys + offset, values: values + offset,
                    isFloat32: cache.element == .f32, stride: cache.width, count: start + token + 1, size: shape.headSize, scale: scale,
                    scores: b.scores + thread * b.scoresStride, into: b.mixed.row(token) + head * shape.headSize)
            }
        }
        quantize(b.mixed, count: count, for: weights.output)
        multiply([(weights.output, b.update, b.hiddenStride)], by: b.mixed, count: count)
        addUpdate(count: count)
    }

    /// hidden += down(silu(gate(x)) * up(x)), x = norm(hidden)
    private func feedForward(_ layer: Int, count: Int) {
        let weights = model.weights.layers[layer]
        let b = buffers
        normalize(weights.feedForwardNorm, count: count)
        // A panel of gate and the same panel of up go together, so their product is ready when the thread leaves them.
        let chunk = Self.chunk(panels: weights.gate.layout.panels, threads: pool.threads)
        pool.forEachChunk(of: weights.gate.layout.panels, chunk: chunk) { panels, _ in
            kernels.multiply(weights.gate, panels: panels, by: b.normed, tokens: count, into: b.inner.values, stride: b.inner.padded)
            kernels.multiply(weights.up, panels: panels, by: b.normed, tokens: count, into: b.up, stride: b.upStride)
            let first = panels.lowerBound * PanelLayout.rowsPerPanel
            let rows = min(panels.upperBound * PanelLayout.rowsPerPanel, shape.inner) - first
            for token in 0..<count {
                kernels.swiglu(gate: b.inner.row(token) + first, up: b.up + token * b.upStride + first, count: rows)
            }
        }
        quantize(b.inner, count: count, for: weights.down)
        multiply([(weights.down, b.update, b.hiddenStride)], by: b.inner, count: count)
        addUpdate(count: count)
    }

    /// logits = head(norm(hidden)) for some tokens of the batch
    private func output(first: Int, count: Int) {
        let b = buffers
        for token in 0..<count {
            kernels.rmsNorm(
                b.hidden + (first + token) * b.hiddenStride, weight: model.weights.outputNorm, count: shape.hidden, epsilon: shape.epsilon,
                into: b.normed.row(token))
        }
        quantize(b.normed, count: count, for: model.weights.outputHead)
        multiply([(model.weights.outputHead, b.logits, b.logitsStride)], by: b.normed, count: count)
    }

    private func normalize(_ weight: UnsafePointer<Float>, count: Int) {
        let b = buffers
        perToken(count) { [self] token in
            kernels.rmsNorm(b.hidden + token * b.hiddenStride, weight: weight, count: shape.hidden, epsilon: shape.epsilon, into: b.normed.row(token))
            if model.weights.needsQuantizedActivations { b.normed.quantize(token, with: kernels) }
        }
    }

    private func quantize(_ rows: ActivationRows, count: Int, for matrix: StoredMatrix) {
        guard matrix.layout.type.isQuantized else { return }
        perToken(count) { [self] token in rows.quantize(token, with: kernels) }
    }

    private func addUpdate(count: Int) {
        for token in 0..<count {
            kernels.add(buffers.update + token * buffers.hiddenStride, to: buffers.hidden + token * buffers.hiddenStride, count: shape.hidden)
        }
    }

    /// Several matrices by the same activations in one phase.
    private func multiply(_ work: [(matrix: StoredMatrix, out: UnsafeMutablePointer<Float>, stride: Int)], by x: ActivationRows, count: Int) {
        let total = work.reduce(0) { $0 + $1.matrix.layout.panels }
        pool.forEachChunk(of: total, chunk: Self.chunk(panels: total, threads: pool.threads)) { panels, _ in
            var base = 0
            for item in work {
                let end = base + item.matrix.layout.panels
                let mine = max(panels.lowerBound, base)..<max(min(panels.upperBound, end), max(panels.lowerBound, base))
                if !mine.isEmpty {
                    kernels.multiply(
                        item.matrix, panels: mine.lowerBound - base..<mine.upperBound - base, by: x, tokens: count, into: item.out, stride: item.stride)
                }
                base = end
            }
        }
    }

    /// A token's own work: in place for one, shared out for more.
    private func perToken(_ count: Int, _ body: (Int) -> Void) {
        if count == 1 { return body(0) }
        pool.forEachChunk(of: count, chunk: 1) { tokens, _ in
            for token in tokens { body(token) }
        }
    }

    /// Panels a thread takes at a time: small enough that a thread which stalls leaves little behind.
    private static func chunk(panels: Int, threads: Int) -> Int { max(1, panels / (threads * 12)) }
}
