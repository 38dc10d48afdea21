import Glibc
import Kernels
import Tensors

/// The working memory of one forward pass over up to `tokens` tokens. Allocated once; a pass allocates nothing.
final class LlamaBuffers {
    let tokens: Int
    /// The residual stream, [token][hiddenStride].
    let hidden: UnsafeMutablePointer<Float>
    let hiddenStride: Int
    /// Input of q, k, v and of gate, up: the normalized residual.
    let normed: ActivationRows
    let query, key, value: UnsafeMutablePointer<Float>
    let queryStride, keyStride: Int
    /// Attention output, input of o.
    let mixed: ActivationRows
    /// Output of o and of down before it joins the residual, [token][hiddenStride].
    let update: UnsafeMutablePointer<Float>
    /// Gate, then gate x up: input of down. Its float rows double as the gate's output.
    let inner: ActivationRows
    let up: UnsafeMutablePointer<Float>
    let upStride: Int
    /// [token][logitsStride]
    let logits: UnsafeMutablePointer<Float>
    let logitsStride: Int
    /// Attention scores, one row per thread.
    let scores: UnsafeMutablePointer<Float>
    let scoresStride: Int

    private var allocations: [UnsafeMutableRawPointer] = []

    init(shape: LlamaShape, tokens: Int, logitRows: Int, context: Int, threads: Int) {
        func padded(_ rows: Int) -> Int { (rows + PanelLayout.rowsPerPanel - 1) / PanelLayout.rowsPerPanel * PanelLayout.rowsPerPanel }
        var allocations: [UnsafeMutableRawPointer] = []
        func allocate(_ count: Int) -> UnsafeMutablePointer<Float> {
            let memory = aligned_alloc(64, (count * 4 + 63) / 64 * 64)!
            allocations.append(memory)
            return memory.assumingMemoryBound(to: Float.self)
        }
        self.tokens = tokens
        hiddenStride = padded(shape.hidden)
        queryStride = padded(shape.heads * shape.headSize)
        keyStride = padded(shape.keyValueHeads * shape.headSize)
        upStride = padded(shape.inner)
        logitsStride = padded(shape.vocabulary)
        scoresStride = (context + 16 + 15) / 16 * 16
        hidden = allocate(tokens * hiddenStride)
        update = allocate(tokens * hiddenStride)
        query = allocate(tokens * queryStride)
        key = allocate(tokens * keyStride)
        value = allocate(tokens * keyStride)
        up = allocate(tokens * upStride)
        logits = allocate(logitRows * logitsStride)
        scores = allocate(threads * scoresStride)
        normed = ActivationRows(tokens: tokens, columns: shape.hidden)
        mixed = ActivationRows(tokens: tokens, columns: shape.heads * shape.headSize)
        inner = ActivationRows(tokens: tokens, columns: shape.inner)
        self.allocations = allocations
    }

    deinit { for memory in allocations { free(memory) } }
}
