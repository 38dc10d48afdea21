import Architectures
import ByteStorage
import Glibc
import Kernels
import ModelFiles
import Quantization
import Safetensors
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
        // Sampled rows, a panel as floats twice, and a stored panel.
        let errors = try model.sampled(wanted, threads: threads, scratch: { $0.columns * PanelLayout.rowsPerPanel * (4 * panels + 12) }) {
            try sample(model, model.tensors[$0], types, kernels)
        }
        return TypeErrors(errors: model.tensors.indices.map { errors[$0] ?? [:] })
    }

    private static func sample(
        _ model: CheckpointModel, _ tensor: CheckpointModel.Tensor, _ types: [StorageType], _ kernels: KernelSet
    ) throws -> [StorageType: Double] {
        let sample = try PanelSample(of: tensor, model, panels: panels)
        var result: [StorageType: Double] = [:]
        for type in types {
            let encoder = PanelEncoder(layout: layout(tensor, type), kernels: kernels)
            let stored = UnsafeMutableRawPointer.allocate(byteCount: encoder.layout.panelBytes, alignment: 64)
            defer { stored.deallocate() }
            var sums = ErrorSums()
            for (number, panel) in sample.panels.enumerated() {
                if let errors = try? encoder.encode(panel: panel, rows: sample.rows(number), sourceType: tensor.source, into: stored) { sums.add(errors) }
            }
            // Where the sample says nothing: a factor of four per bit.
            result[type] = sums.signal > 0 && sums.noise.isFinite ? sums.noise / sums.signal : pow(4, -Double(type.traits.codeBits))
        }
        return result
    }

    private static func layout(_ tensor: CheckpointModel.Tensor, _ type: StorageType) -> PanelLayout {
        guard let layout = PanelLayout(type: type, rows: tensor.rows, columns: tensor.columns) else {
            preconditionFailure("tensor '\(tensor.expected.name)' has dimensions outside the limits")
        }
        return layout
    }
}
