import Architectures
import CalibrationFiles
import Glibc
import Kernels
import ModelFiles
import Quantization
import Tensors

/// Grids fitted to each tensor, on a sample of its rows, before the pipeline runs.
///
/// Where a calibration knows the size of the tensor's input, a column's errors count with it.
struct FittedGrids {
    /// In the order of the model's tensors; nil keeps the default grids.
    let tables: [GridTables?]

    /// Weights of a tensor that are tried, in panels spread evenly over it: thousands for each of 64 grid values even in its smaller blocks.
    private static let weights = 1 << 20
    private static let fewest = 2

    private static func panels(_ tensor: CheckpointModel.Tensor) -> Int { max(fewest, weights / (tensor.columns * PanelLayout.rowsPerPanel)) }

    /// Source rows, the same as floats, and three panels of floats and one stored in the fit.
    private static func scratch(_ tensor: CheckpointModel.Tensor) -> Int {
        let count = panels(tensor)
        return PanelSample.byteCount(tensor, panels: count) + (count + 4) * PanelLayout.rowsPerPanel * tensor.columns * 4
    }

    /// - *Accuracy*: the same for any number of threads and on every instruction set.
    /// - Throws: reading failed. A tensor with values that are not finite in the sample keeps the default grids; the conversion will report them.
    init(for plan: ConversionPlan, kernels: KernelSet, threads: Int) throws {
        let model = plan.model
        let wanted = plan.layout.tensors.indices.filter { GridFit.fits(plan.layout.tensors[$0].type) }
        let tables = try model.sampled(wanted, threads: threads, scratch: Self.scratch) { try Self.fit(plan, $0, kernels) }
        self.tables = model.tensors.indices.map { tables[$0] ?? nil }
    }

    private static func fit(_ plan: ConversionPlan, _ index: Int, _ kernels: KernelSet) throws -> GridTables? {
        let tensor = plan.model.tensors[index], layout = plan.layout.tensors[index].layout
        let sample = try PanelSample(of: tensor, plan.model, panels: panels(tensor))
        let values = layout.paddedColumns * PanelLayout.rowsPerPanel
        let floats = aligned_alloc(64, sample.panels.count * values * 4)!.assumingMemoryBound(to: Float.self)
        defer { free(floats) }
        for (number, panel) in sample.panels.enumerated() {
            do throws(NotFinite) {
                try kernels.widen(
                    sample.rows(number), tensor.source, rows: PanelSample.rows(of: panel, tensor), columns: tensor.columns, padded: layout.paddedColumns,
                    into: floats + number * values)
            } catch { return nil }
        }
        return GridFit(layout: layout, weights: try columnWeights(plan, tensor), kernels: kernels).fit(floats, count: sample.panels.count)?.grids
    }

    /// The mean square of each input, where it is known.
    private static func columnWeights(_ plan: ConversionPlan, _ tensor: CheckpointModel.Tensor) throws -> [Float]? {
        guard plan.weighting.weighsColumns, let calibration = plan.weighting.calibration, let input = plan.model.input(of: tensor) else { return nil }
        return try calibration.diagonal(input: input, layer: tensor.expected.layer)
    }
}
