import ModelFiles
import Quantization
import Tensors

/// What a run of the pipeline does with each slab: writing it in a new form, or comparing it with what was written.
///
/// *Threads*: `process` is called from all workers at once; the other two for one tensor or shard once, from any thread.
protocol SlabWork: Sendable {
    /// Whether the stored bytes are digested, in order, tensor by tensor.
    var digestsStored: Bool { get }
    /// Handles the panels of one slab and returns their error sums.
    ///
    /// *Layout*: `source` holds the slab's rows without gaps, `stored` has room for its panels and is 4096-byte aligned.
    func process(
        _ slab: Slab, source: UnsafeRawBufferPointer, stored: UnsafeMutableRawBufferPointer, encoder: PanelEncoder
    ) throws -> [ErrorSums]
    func finishTensor(_ index: Int, digest: Digest32, sums: ErrorSums)
    func finishShard(_ index: Int, digest: Digest32) throws
}
