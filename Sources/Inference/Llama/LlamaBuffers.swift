import Glibc
import Kernels
import Tensors

/// The working memory of forward passes over up to `tokens` tokens. Allocated once; a pass allocates nothing.
final class LlamaBuffers {
    /// Its addresses, copied without counting references.
    struct View {
        /// The residual stream, [token][hiddenStride].
        let hidden: UnsafeMutablePointer<Float>
        let hiddenStride: Int
        /// [token][queryStride], [token][keyStride]
        let query, key, value: UnsafeMutablePointer<Float>
        let queryStride, keyStride: Int
        /// Input of q, k, v, of gate, up and of the output head when there are many tokens: the normalized residual.
        let normed: ActivationView
        /// Attention output, input of o.
        let mixed: ActivationView
        /// silu(gate) x up, input of down.
        let inner: ActivationView
        /// [row][logitsStride]
        let logits: UnsafeMutablePointer<Float>
        let logitsStride: Int
        /// One per thread.
        let threads: UnsafePointer<ThreadView>
        /// States of single chunks of positions, [key-value head][chunk][query], where threads outnumber key-value heads; else no chunks.
        let chunks: AttentionState
        let chunkCount: Int
    }

    /// What a thread has for itself.
    struct ThreadView {
        /// The normalized residual of few tokens, which every thread makes for itself rather than wait for another.
        let normed: ActivationView
        /// For expanded panels.
        let tiles: UnsafeMutableRawPointer
        /// Products of a few panels before they join the rest: two of [token][columns of a unit].
        let product, second: UnsafeMutablePointer<Float>
        /// A normalized row, [hidden]; queries of some tokens of a head group, [query][width].
        let row, queries: UnsafeMutablePointer<Float>
        let visible: UnsafeMutablePointer<Int32>
        let attention: AttentionState
        let attentionScratch: UnsafeMutablePointer<Float>
    }

    /// Up to this many tokens are normalized by every thread for itself.
    static let redundantTokens = 4
    /// Up to this many tokens, a thread takes all queries of a key-value head, storing included.
    static let tokensPerHeadItem = 16
    /// Queries that go over a key-value head's positions together when there are more tokens.
    static let queriesPerItem = 64
    /// Panels whose products wait in a thread's own memory: of few tokens; of many tokens, where units of the larger size are enough for all threads.
    static let panelsPerUnit = 8, panelsPerTile = 4, panelsPerSmallTile = 2

    let view: View
    private var rows: [ActivationRows] = []
    private var allocations: [UnsafeMutableRawPointer] = []

    /// - Parameter context: positions that attention may go over.
    init(shape: LlamaShape, tokens: Int, logitRows: Int, threads: Int, context: Int, floats: Bool) {
        func padded(_ rows: Int) -> Int { (rows + PanelLayout.rowsPerPanel - 1) / PanelLayout.rowsPerPanel * PanelLayout.rowsPerPanel }
        var allocations: [UnsafeMutableRawPointer] = []
        func allocate<Element>(_ count: Int, of: Element.Type = Float.self) -> UnsafeMutablePointer<Element> {
            let memory = aligned_alloc(64, (count * MemoryLayout<Element>.stride + 63) / 64 * 64)!
            allocations.append(memory)
            return memory.assumingMemoryBound(to: Element.self)
        }
        var rows: [ActivationRows] = []
        func activations(_ tokens: Int, _ columns: Int) -> ActivationView {
            rows.append(ActivationRows(tokens: tokens, columns: columns, floats: floats))
            return rows[rows.count - 1].view
        }
        let width = HeadCache.width(headSize: shape.headSize)
        let group = shape.heads / shape.keyValueHeads
        let queries = max(Self.tokensPerHeadItem * group, Self.queriesPerItem)
        let few = min(tokens, Self.tokensPerHeadItem) * Self.panelsPerUnit * PanelLayout.rowsPerPanel
        let product = max(few, tokens * Self.panelsPerTile * PanelLayout.rowsPerPanel)
        let threadViews: UnsafeMutablePointer<ThreadView> = allocate(threads, of: ThreadView.self)
        for thread in 0..<threads {
            (threadViews + thread).initialize(to: ThreadView(
                normed: activations(Self.redundantTokens, shape.hidden), tiles: UnsafeMutableRawPointer(allocate(MatrixView.scratchBytes, of: UInt8.self)),
                product: allocate(product), second: allocate(product), row: allocate(padded(shape.hidden)), queries: allocate(queries * width),
                visible: allocate(queries, of: Int32.self),
                attention: AttentionState(most: allocate(queries), sum: allocate(queries), mix: allocate(queries * width)),
                attentionScratch: allocate(KernelSet.attentionScratch(width: width))))
        }
        let chunkCount = threads > shape.keyValueHeads ? (context + KernelSet.attentionChunk - 1) / KernelSet.attentionChunk : 0
        let chunkStates = chunkCount * shape.keyValueHeads * group * min(tokens, Self.redundantTokens)
        let (hiddenStride, queryStride) = (padded(shape.hidden), padded(shape.heads * shape.headSize))
        let (keyStride, logitsStride) = (padded(shape.keyValueHeads * shape.headSize), padded(shape.vocabulary))
        view = View(
            hidden: allocate(tokens * hiddenStride), hiddenStride: hiddenStride, query: allocate(tokens * queryStride),
            key: allocate(tokens * keyStride), value: allocate(tokens * keyStride), queryStride: queryStride, keyStride: keyStride,
            normed: activations(tokens, shape.hidden), mixed: activations(tokens, shape.heads * shape.headSize), inner: activations(tokens, shape.inner),
            logits: allocate(logitRows * logitsStride), logitsStride: logitsStride, threads: UnsafePointer(threadViews),
            chunks: AttentionState(most: allocate(chunkStates), sum: allocate(chunkStates), mix: allocate(chunkStates * width)), chunkCount: chunkCount)
        self.rows = rows
        self.allocations = allocations
    }

    deinit { for memory in allocations { free(memory) } }
}
