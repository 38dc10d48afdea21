package import Architectures
package import Kernels
package import ModelFiles

/// A weight matrix that is expanded one panel at a time, so that no more than a few panels of it are in memory as floats.
///
/// *Threads*: everything may be called from several threads.
package protocol PanelSource: Sendable {
    var rows: Int { get }
    var columns: Int { get }
    /// The matrix for products with int8 activations; nil where only floats will do.
    var quantized: MatrixView? { get }

    /// 16 rows as floats [columns][16], zeros from `rows` on.
    ///
    /// *Shapes*: `out` has room for the columns rounded up to 128, `scratch` for 16 rows of f32.
    func expand(panel: Int, with kernels: KernelSet, scratch: UnsafeMutableRawPointer, into out: UnsafeMutablePointer<Float>) throws
    /// One row: `columns` floats. `scratch` as above, and 16 rows of floats more.
    func row(_ row: Int, with kernels: KernelSet, scratch: UnsafeMutableRawPointer, into out: UnsafeMutablePointer<Float>) throws
}

extension PanelSource {
    package var panels: Int { (rows + 15) / 16 }
}

/// The tensors of one layer.
package struct LayerWeights: Sendable {
    /// [hidden]
    package var attentionNorm, feedForwardNorm: [Float]
    package var query, key, value, output, gate, up, down: any PanelSource

    /// The matrices that read an input of the layer, in the order of execution.
    package subscript(_ input: LinearInput) -> [any PanelSource] {
        get {
            switch input {
            case .queryKeyValue: [query, key, value]
            case .attentionOutput: [output]
            case .gateUp: [gate, up]
            case .down: [down]
            case .outputHead: []
            }
        }
        set {
            precondition(newValue.count == self[input].count, "\(newValue.count) matrices for \(input)")
            for (old, new) in zip(self[input], newValue) {
                precondition((old.rows, old.columns) == (new.rows, new.columns), "\(new.rows) x \(new.columns) in place of \(old.rows) x \(old.columns)")
            }
            switch input {
            case .queryKeyValue: (query, key, value) = (newValue[0], newValue[1], newValue[2])
            case .attentionOutput: output = newValue[0]
            case .gateUp: (gate, up) = (newValue[0], newValue[1])
            case .down: down = newValue[0]
            case .outputHead: break
            }
        }
    }
}

/// A model whose weights come layer by layer: a checkpoint in its own precision, or a `.quern` file.
package protocol LayerwiseModel: AnyObject, Sendable {
    /// For messages.
    var path: String { get }
    /// Changes with the weights, as far as that shows without reading all of them.
    var identity: Digest32 { get }
    var configuration: LlamaConfiguration { get }
    var embedding: any PanelSource { get }
    /// [hidden]
    var outputNorm: [Float] { get }
    var outputHead: any PanelSource { get }

    func layer(_ index: Int) throws -> LayerWeights
    /// Starts reading a layer, or with `configuration.layers` the output head.
    func willNeed(layer: Int)
    /// The layer, or the output head, is not needed for now.
    func finished(layer: Int)
}
