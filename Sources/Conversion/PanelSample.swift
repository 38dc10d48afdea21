import ByteStorage
import Quantization
import Safetensors
import Tensors

/// Source rows of some panels of a tensor, evenly spread, read beside the pipeline.
struct PanelSample: ~Copyable {
    let tensor: CheckpointModel.Tensor
    /// Which panels were read.
    let panels: [Int]
    private let source: UnsafeMutableRawBufferPointer

    init(of tensor: CheckpointModel.Tensor, _ model: CheckpointModel, panels most: Int) throws(FileError) {
        let perPanel = PanelLayout.rowsPerPanel, rowBytes = tensor.columns * tensor.source.bytes
        let count = (tensor.rows + perPanel - 1) / perPanel, tried = min(most, count)
        self.tensor = tensor
        panels = (0..<tried).map { (2 * $0 + 1) * count / (2 * tried) }
        source = UnsafeMutableRawBufferPointer.allocate(byteCount: tried * perPanel * rowBytes, alignment: 64)
        for (number, panel) in panels.enumerated() {
            let start = number * perPanel * rowBytes, bytes = Self.rows(of: panel, tensor) * rowBytes
            try model.checkpoint.shards[tensor.found.shardIndex].file.read(
                into: UnsafeMutableRawBufferPointer(rebasing: source[start..<start + bytes]),
                at: tensor.found.byteOffset + UInt64(panel * perPanel * rowBytes))
        }
    }

    deinit { source.deallocate() }

    static func rows(of panel: Int, _ tensor: CheckpointModel.Tensor) -> Int {
        min(PanelLayout.rowsPerPanel, tensor.rows - panel * PanelLayout.rowsPerPanel)
    }

    /// The rows of `panels[number]`, without gaps.
    func rows(_ number: Int) -> UnsafeRawPointer {
        UnsafeRawPointer(source.baseAddress! + number * PanelLayout.rowsPerPanel * tensor.columns * tensor.source.bytes)
    }

    /// What `count` panels take.
    static func byteCount(_ tensor: CheckpointModel.Tensor, panels count: Int) -> Int {
        count * PanelLayout.rowsPerPanel * tensor.columns * tensor.source.bytes
    }
}
