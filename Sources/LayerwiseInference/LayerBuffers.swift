import Architectures
import Glibc
import Kernels
import Tensors

/// The input of linear layers in the forms that products read.
struct LinearInputRows {
    let floats: FloatRows
    /// Nil when no arithmetic needs it.
    let codes: ActivationRows?

    init(tokens: Int, columns: Int, codes: Bool) {
        floats = FloatRows(tokens: tokens, columns: columns)
        self.codes = codes ? ActivationRows(tokens: tokens, columns: columns, floats: false) : nil
    }

    /// Some columns of a token; the first a multiple of 32, the last one too or the row's end.
    func store(_ values: UnsafePointer<Float>, columns range: Range<Int>, token: Int, arithmetic: LayerArithmetic, with kernels: KernelSet) {
        floats.store(values, count: range.count, token: token, first: range.lowerBound)
        if arithmetic.products != .floats, let codes { codes.view.quantize(token, columns: range, from: values, with: kernels) }
    }
}

/// Working memory for `tokens` tokens that go through a layer together.
final class LayerBuffers: @unchecked Sendable {  // Safe: plain memory; the engine's phases keep writers and readers apart.
    /// What a thread has for itself.
    struct ThreadMemory {
        /// Expanded panels, `panelStride` floats apart.
        let panels: UnsafeMutablePointer<Float>
        /// Source rows before they are panels.
        let source: UnsafeMutableRawPointer
        /// Of the int8 products.
        let tiles: UnsafeMutableRawPointer
        /// Products of a unit before they join the rest: two of [token][16 x panels of a unit].
        let product, second: UnsafeMutablePointer<Float>
        /// A row of any width.
        let row: UnsafeMutablePointer<Float>
        /// One head's keys and values of a window.
        let cache: UnsafeMutableRawPointer
        let queries: UnsafeMutablePointer<Float>
        let visible: UnsafeMutablePointer<Int32>
        let attention: AttentionState
        let attentionScratch: UnsafeMutablePointer<Float>
    }

    /// Panels that are expanded together: each pass over the activations serves all of them.
    static let panelsPerUnit = 8
    /// Queries that go over a head's positions together.
    static let queriesPerTile = 64

    let tokens: Int
    let normed, mixed, inner: LinearInputRows
    /// [token][stride]; the attention leaves its result in `query`.
    let query, key, value: UnsafeMutablePointer<Float>
    let queryStride, keyStride: Int
    let panelStride: Int
    let threads: [ThreadMemory]
    private let allocations: [UnsafeMutableRawPointer]

    static func byteCount(_ configuration: LlamaConfiguration, tokens: Int, codes: Bool, threads: Int) -> Int {
        let widths = configuration.hiddenSize + configuration.queryRows + configuration.intermediateSize
        let widest = max(configuration.hiddenSize, configuration.queryRows, configuration.intermediateSize)
        let shared = tokens * (widths * (codes ? 7 : 4) + 4 * (configuration.queryRows + 2 * configuration.keyValueRows))
        return shared + threads * (64 * (panelsPerUnit + 2) * widest + 8 * 16 * panelsPerUnit * tokens)
    }

    init(_ configuration: LlamaConfiguration, tokens: Int, windowSize: Int, codes: Bool, threads: Int) {
        func padded(_ count: Int, to multiple: Int = PanelLayout.rowsPerPanel) -> Int { (count + multiple - 1) / multiple * multiple }
        var allocations: [UnsafeMutableRawPointer] = []
        func bytes(_ count: Int) -> UnsafeMutableRawPointer {
            let count = padded(max(count, 64), to: 64)
            let memory = aligned_alloc(64, count)!
            memset(memory, 0, count)
            allocations.append(memory)
            return memory
        }
        func floats(_ count: Int) -> UnsafeMutablePointer<Float> { bytes(4 * count).assumingMemoryBound(to: Float.self) }
        self.tokens = tokens
        normed = LinearInputRows(tokens: tokens, columns: configuration.hiddenSize, codes: codes)
        mixed = LinearInputRows(tokens: tokens, columns: configuration.queryRows, codes: codes)
        inner = LinearInputRows(tokens: tokens, columns: configuration.intermediateSize, codes: codes)
        (queryStride, keyStride) = (padded(configuration.queryRows), padded(configuration.keyValueRows))
        query = floats(tokens * queryStride)
        key = floats(tokens * keyStride)
        value = floats(tokens * keyStride)
        let widest = padded(max(configuration.hiddenSize, configuration.queryRows, configuration.intermediateSize), to: 128)
        panelStride = 16 * widest
        let unit = Self.panelsPerUnit * PanelLayout.rowsPerPanel
        let width = HeadCache.width(headSize: configuration.headDimension)
        let group = configuration.heads / configuration.keyValueHeads
        let queries = max(Self.queriesPerTile, group)
        var memories: [ThreadMemory] = []
        for _ in 0..<threads {
            let (panels, source) = (floats(Self.panelsPerUnit * 16 * widest), bytes(128 * widest))
            let cache = CacheElement.allCases.map { HeadCache.byteCount(context: windowSize, headSize: configuration.headDimension, element: $0) }.max()!
            memories.append(ThreadMemory(
                panels: panels, source: source, tiles: bytes(MatrixView.scratchBytes), product: floats(tokens * unit), second: floats(tokens * unit),
                row: floats(widest), cache: bytes(cache), queries: floats(queries * width),
                visible: bytes(4 * queries).assumingMemoryBound(to: Int32.self),
                attention: AttentionState(most: floats(queries), sum: floats(queries), mix: floats(queries * width)),
                attentionScratch: floats(KernelSet.attentionScratch(width: width))))
        }
        self.threads = memories
        self.allocations = allocations
    }

    deinit { for memory in allocations { free(memory) } }
}
