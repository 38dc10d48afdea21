import ByteStorage
import Glibc
import Kernels
import Quantization
import Safetensors
import Tensors

/// Rows of one or several matrices with the same columns, read a second time, beside the pipeline: a part of their columns, and where there are very many
/// rows, evenly spread ones.
struct RowSample {
    let sources: [CheckpointModel.Tensor]
    let model: CheckpointModel
    let columns: Range<Int>
    /// Columns to give, zeros from the matrix's last one on.
    let padded: Int

    /// Rows that are given at once.
    static let chunk = 256
    private static let rowsPerRead = PanelLayout.rowsPerPanel

    /// Rows are taken by sixteens. Eight times the columns describe their correlations well enough.
    private var most: Int { max(8 * padded, 8192) / Self.rowsPerRead }

    /// Calls `body` with [padded][chunk] floats and how many rows of them count. False when a value is not finite; the pipeline will say where.
    func forEachChunk(kernels: KernelSet, _ body: (UnsafePointer<Float>, Int) -> Void) throws(FileError) -> Bool {
        let reads = sources.enumerated().flatMap { source, tensor in
            stride(from: 0, to: tensor.rows, by: Self.rowsPerRead).map { (source: source, row: $0) }
        }
        let taken = min(reads.count, most)
        let floats = UnsafeMutablePointer<Float>.allocate(capacity: padded * Self.chunk)
        let panel = aligned_alloc(64, padded * Self.rowsPerRead * 4)!.assumingMemoryBound(to: Float.self)
        let raw = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.rowsPerRead * columns.count * 4, alignment: 64)
        defer {
            floats.deallocate()
            free(panel)
            raw.deallocate()
        }
        var filled = 0
        for index in 0..<taken {
            let (source, row) = reads[index * reads.count / taken]
            let tensor = sources[source], rows = min(Self.rowsPerRead, tensor.rows - row)
            try read(tensor, row, rows, into: raw)
            do throws(NotFinite) {
                try kernels.widen(raw.baseAddress!, tensor.source, rows: rows, columns: columns.count, padded: padded, into: panel)
            } catch { return false }
            for column in 0..<padded { (floats + column * Self.chunk + filled).update(from: panel + column * Self.rowsPerRead, count: rows) }
            filled += rows
            if filled + Self.rowsPerRead > Self.chunk || index == taken - 1 {
                body(floats, filled)
                filled = 0
            }
        }
        return true
    }

    private func read(_ tensor: CheckpointModel.Tensor, _ row: Int, _ rows: Int, into raw: UnsafeMutableRawBufferPointer) throws(FileError) {
        let file = model.checkpoint.shards[tensor.found.shardIndex].file
        let size = tensor.source.bytes, width = columns.count * size
        let start = tensor.found.byteOffset + UInt64((row * tensor.columns + columns.lowerBound) * size)
        if columns.count == tensor.columns { return try file.read(into: UnsafeMutableRawBufferPointer(rebasing: raw[..<(rows * width)]), at: start) }
        for index in 0..<rows {
            try file.read(
                into: UnsafeMutableRawBufferPointer(rebasing: raw[index * width..<(index + 1) * width]), at: start + UInt64(index * tensor.columns * size))
        }
    }
}
