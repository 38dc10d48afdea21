import Architectures
import ByteStorage
import Glibc
import Kernels
import ModelFiles
import Quantization
import Safetensors
import Synchronization
import Tensors

/// The relative squared error that each storage type makes of each tensor, measured by encoding a sample of its panels.
struct TypeErrors {
    /// By position of the tensor; empty for those that were not asked for.
    let errors: [[StorageType: Double]]

    /// Panels of a tensor that are tried, evenly spread: for a matrix of 4096 columns 65536 weights each.
    private static let panels = 4

    /// Reads the sampled rows and encodes them as each of `types` on `threads` threads.
    ///
    /// - *Accuracy*: the same for any number of threads and on every instruction set.
    /// - Throws: reading failed. Values that are not finite are left for the conversion to report: their panel does not count.
    static func sample(
        _ model: CheckpointModel, tensors wanted: [Int], types: [StorageType], kernels: KernelSet, threads: Int
    ) throws -> TypeErrors {
        let results = Mutex<(errors: [[StorageType: Double]], failure: (any Error)?)>((model.tensors.map { _ in [:] }, nil))
        let next = Atomic(0)
        WorkerPool(threads: max(1, min(threads, wanted.count))).run { _ in
            while true {
                let index = next.add(1, ordering: .relaxed).oldValue
                guard index < wanted.count else { return }
                do {
                    let errors = try sample(model, model.tensors[wanted[index]], types, kernels)
                    results.withLock { $0.errors[wanted[index]] = errors }
                } catch { results.withLock { $0.failure = $0.failure ?? error } }
            }
        }
        let (errors, failure) = results.withLock { $0 }
        if let failure { throw failure }
        return TypeErrors(errors: errors)
    }

    private static func sample(
        _ model: CheckpointModel, _ tensor: CheckpointModel.Tensor, _ types: [StorageType], _ kernels: KernelSet
    ) throws -> [StorageType: Double] {
        let rowBytes = tensor.columns * tensor.source.bytes
        let source = UnsafeMutableRawBufferPointer.allocate(byteCount: PanelLayout.rowsPerPanel * rowBytes, alignment: 64)
        defer { source.deallocate() }
        let encoders = types.map { PanelEncoder(layout: layout(tensor, $0), kernels: kernels) }
        let stored = UnsafeMutableRawPointer.allocate(byteCount: encoders.map(\.layout.panelBytes).max() ?? 64, alignment: 64)
        defer { stored.deallocate() }
        var sums = types.map { _ in ErrorSums() }
        let count = encoders[0].layout.panels, tried = min(panels, count)
        for number in 0..<tried {
            let panel = (2 * number + 1) * count / (2 * tried), first = panel * PanelLayout.rowsPerPanel
            let rows = UnsafeMutableRawBufferPointer(rebasing: source[..<(min(PanelLayout.rowsPerPanel, tensor.rows - first) * rowBytes)])
            try model.checkpoint.shards[tensor.found.shardIndex].file.read(into: rows, at: tensor.found.byteOffset + UInt64(first * rowBytes))
            for (index, encoder) in encoders.enumerated() {
                guard let errors = try? encoder.encode(panel: panel, rows: rows.baseAddress!, sourceType: tensor.source, into: stored) else { continue }
                sums[index].add(errors)
            }
        }
        // Where the sample says nothing: a factor of four per bit.
        return Dictionary(uniqueKeysWithValues: zip(types, sums).map { type, sums in
            (type, sums.signal > 0 && sums.noise.isFinite ? sums.noise / sums.signal : pow(4, -Double(type.traits.codeBits)))
        })
    }

    private static func layout(_ tensor: CheckpointModel.Tensor, _ type: StorageType) -> PanelLayout {
        guard let layout = PanelLayout(type: type, rows: tensor.rows, columns: tensor.columns) else {
            preconditionFailure("tensor '\(tensor.expected.name)' has dimensions outside the limits")
        }
        return layout
    }
}
