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
    /// Tokens of a pass whose logits there is room for.
    package let logitRows: Int
    /// Of products with many tokens.
    package let precision: ProductPrecision
    /// Reads the weights that memory does not hold; nil where it holds all.
    package var weightStream: WeightStream? {
        didSet { pass.pointee.weightStream = weightStream.map { Unmanaged.passUnretained($0) } }
    }
    private let pool: WorkerPool
    package let kernels: KernelSet
    private let shape: LlamaShape
    private let buffers: LlamaBuffers
    private let layers: UnsafeMutablePointer<LlamaLayerView>
    /// [position][half head] each.
    private let cosines, sines: UnsafeMutablePointer<Float>
    private let pass: UnsafeMutablePointer<LlamaPass>

    /// - Parameters:
    ///   - context: positions to make room for.
    ///   - batch: largest number of tokens per pass; nil chooses by the size of the model.
    ///   - logitRows: tokens of a pass whose logits are kept; `allLogits` keeps those of each.
    ///   - precision: of products with many tokens.
    package init(
        model: LlamaModel, context: Int, batch: Int? = nil, allLogits: Bool = false, logitRows: Int = 1, element: KeyValueCache.Element,
        precision: ProductPrecision = .exact, kernels: KernelSet, pool: WorkerPool
    ) throws(InferenceError) {
        let shape = model.shape
        let batch = batch ?? Self.batch(for: shape, context: context)
        precondition(context >= 1 && batch >= 1 && logitRows >= 1, "context \(context), batch \(batch), \(logitRows) rows of logits")
        self.model = model
        self.kernels = kernels
        self.pool = pool
        self.batch = batch
        self.precision = precision
        self.logitRows = allLogits ? batch : min(logitRows, batch)
        self.shape = shape
        cache = try KeyValueCache(layers: shape.layers, heads: shape.keyValueHeads, headSize: shape.headSize, context: context, element: element)
        buffers = LlamaBuffers(
            shape: shape, tokens: batch, logitRows: self.logitRows, threads: pool.threads, context: context,
            floats: model.weights.needsFloatActivations)
        layers = .allocate(capacity: shape.layers)
        for (index, layer) in model.weights.layers.enumerated() { (layers + index).initialize(to: LlamaLayerView(layer, kernels: kernels)) }
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
        pass = .allocate(capacity: 1)
        pass.initialize(to: LlamaPass(
            shape: shape, kernels: kernels, team: pool.team, model: Unmanaged.passUnretained(model), layers: UnsafePointer(layers),
            outputNorm: model.weights.outputNorm, outputHead: MatrixView(model.weights.outputHead, kernels: kernels), buffers: buffers.view,
            cache: cache.view, cosines: UnsafePointer(cosines), sines: UnsafePointer(sines), precision: precision))
    }

    deinit {
        pass.deallocate()
        layers.deallocate()
        cosines.deallocate()
        sines.deallocate()
    }

    /// As many tokens as fit some 64 MiB of working memory, at most 512: beyond that the expanded weights are reused enough.
    private static func batch(for shape: LlamaShape, context: Int) -> Int {
        let bytes = 4 * (shape.hidden + (shape.heads + 2 * shape.keyValueHeads) * shape.headSize) + 3 * (shape.hidden + shape.heads * shape.headSize + shape.inner)
        return max(1, min(context, 512, max(64, (64 << 20) / bytes / 64 * 64)))
    }

    package var logitsStride: Int { buffers.view.logitsStride }

    /// Feeds up to `batch` tokens at the cache's end.
    ///
    /// - Returns: logits [row][logitsStride], the first `vocabulary` of each row valid until the next call: of the last token, or of all.
    package func append(_ tokens: ArraySlice<Int32>, logits: Logits) throws(InferenceError) -> UnsafePointer<Float> {
        let count = tokens.count
        precondition(count >= 1 && count <= batch, "\(count) tokens in a batch of \(batch)")
        precondition(logits != .all || count <= logitRows, "logits of \(count) tokens, room for \(logitRows)")
        let start = cache.count
        guard start + count <= cache.context else { throw .contextFull(needed: start + count, context: cache.context) }
        for token in tokens { precondition(token >= 0 && Int(token) < shape.vocabulary, "token \(token) of a vocabulary of \(shape.vocabulary)") }
        let rows = logits == .none ? 0..<0 : logits == .all ? 0..<count : count - 1..<count
        pass.pointee.start = start
        pass.pointee.count = count
        pass.pointee.logits = rows
        tokens.withUnsafeBufferPointer { tokens in
            if count == 1 { kernels.row(Int(tokens[0]), of: model.weights.embedding, into: buffers.view.hidden) }
            pass.pointee.tokens = count == 1 ? nil : tokens.baseAddress
            pool.run(pass, LlamaPass.job)
        }
        weightStream?.finishedPass()
        for token in 0..<count where !Self.isFinite(buffers.view.hidden + token * buffers.view.hiddenStride, count: shape.hidden) {
            throw .notFinite(path: model.reader.path, position: start + token)
        }
        for row in rows where !Self.isFinite(buffers.view.logits + (row - rows.lowerBound) * logitsStride, count: shape.vocabulary) {
            throw .notFinite(path: model.reader.path, position: start + row)
        }
        cache.count = start + count
        return UnsafePointer(buffers.view.logits)
    }

    private static func isFinite(_ values: UnsafePointer<Float>, count: Int) -> Bool {
        var largest: UInt32 = 0
        for index in 0..<count { largest = max(largest, values[index].bitPattern & 0x7FFF_FFFF) }
        return largest < 0x7F80_0000
    }
}
