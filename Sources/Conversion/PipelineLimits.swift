import Tensors

/// How many threads and how much memory a run of the pipeline takes: well below 512 MiB for every model that exists.
struct PipelineLimits: Sendable, Equatable {
    var workers: Int
    var readers: Int
    var slots: Int
    var slotSourceBytes: Int
    var slotStoredBytes: Int

    private static let slotMemory = 160 << 20
    private static let scratchMemory = 160 << 20

    init(threads: Int, shards: Int, tensors: [SlabTensor]) {
        slotSourceBytes = max(SlabTensor.targetBytes, tensors.map(\.largestSlabBytes).max() ?? 0)
        slotStoredBytes = tensors.map(\.largestStoredBytes).max() ?? 0
        // An encoder keeps source and stored values of a panel as floats.
        let scratch = 2 * 4 * PanelLayout.rowsPerPanel * (tensors.map(\.layout.paddedColumns).max() ?? 1)
        workers = min(max(1, threads), max(1, Self.scratchMemory / scratch))
        // The digest of one shard is a chain of some 1 to 2 GB/s; with many workers several shards are read at once.
        readers = max(1, min(workers / 4, shards, 4))
        slots = min(4 * workers + 8, max(readers + 2, Self.slotMemory / (slotSourceBytes + slotStoredBytes)))
    }
}
