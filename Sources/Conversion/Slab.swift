import Kernels
import Tensors

/// A piece of a shard that is read at once: whole panels of one tensor, or bytes that only count for the shard's digest.
struct Slab: Sendable {
    var shard: Int
    var offset: UInt64
    var bytes: Int
    /// The last piece of its shard.
    var endsShard: Bool
    /// Position in execution order; nil for the header and for tensors that are left out.
    var tensor: Int?
    /// Position of this slab in its tensor.
    var ordinal = 0
    var panels = 0..<0
}

/// A tensor as the pipeline sees it.
struct SlabTensor: Sendable {
    var name: String
    var shard: Int
    var byteOffset: UInt64
    var layout: PanelLayout
    var source: SourceType
    /// nil for the default ones.
    var grids: GridTables? = nil

    static let targetBytes = 1 << 20

    var rowBytes: Int { layout.columns * source.bytes }
    var panelSourceBytes: Int { PanelLayout.rowsPerPanel * rowBytes }
    var byteCount: Int { layout.rows * rowBytes }
    /// Large enough to make locks and system calls cheap, small enough to stay in the second-level cache.
    var panelsPerSlab: Int { min(layout.panels, max(1, Self.targetBytes / panelSourceBytes)) }
    var slabs: Int { (layout.panels + panelsPerSlab - 1) / panelsPerSlab }
    var largestSlabBytes: Int { panelsPerSlab * panelSourceBytes }
    var largestStoredBytes: Int { panelsPerSlab * layout.panelBytes }
}

/// Cuts a shard into slabs, from its first byte to its last.
struct SlabSequence: Sequence, IteratorProtocol {
    private let shard: Int
    private let size: UInt64
    /// The shard's tensors that are worked on, by position in the file.
    private var tensors: ArraySlice<(index: Int, tensor: SlabTensor)>
    private var position: UInt64 = 0
    private var ordinal = 0

    init(shard: Int, size: UInt64, tensors: [SlabTensor]) {
        self.shard = shard
        self.size = size
        self.tensors = tensors.enumerated().filter { $0.element.shard == shard }.map { (index: $0.offset, tensor: $0.element) }
            .sorted { $0.tensor.byteOffset < $1.tensor.byteOffset }[...]
    }

    mutating func next() -> Slab? {
        guard position < size else { return nil }
        guard let (index, tensor) = tensors.first, tensor.byteOffset == position || ordinal > 0 else {
            let end = tensors.first?.tensor.byteOffset ?? size
            return take(Int(Swift.min(end - position, UInt64(SlabTensor.targetBytes))), tensor: nil)
        }
        let first = ordinal * tensor.panelsPerSlab
        let panels = first..<Swift.min(first + tensor.panelsPerSlab, tensor.layout.panels)
        let rows = Swift.min(panels.upperBound * PanelLayout.rowsPerPanel, tensor.layout.rows) - first * PanelLayout.rowsPerPanel
        var slab = take(rows * tensor.rowBytes, tensor: index)
        slab.ordinal = ordinal
        slab.panels = panels
        ordinal += 1
        if panels.upperBound == tensor.layout.panels {
            tensors.removeFirst()
            ordinal = 0
        }
        return slab
    }

    private mutating func take(_ bytes: Int, tensor: Int?) -> Slab {
        defer { position += UInt64(bytes) }
        return Slab(shard: shard, offset: position, bytes: bytes, endsShard: position + UInt64(bytes) == size, tensor: tensor)
    }
}
