import Glibc
package import Kernels
package import Tensors

/// Turns source rows into stored panels and measures what was lost. One per thread; it owns its scratch memory.
package final class PanelEncoder {
    package let layout: PanelLayout
    private let kernels: KernelSet
    private let grids: GridTables
    private let source: UnsafeMutablePointer<Float>
    private let stored: UnsafeMutablePointer<Float>

    /// Scratch is 128 bytes per padded column: 3.7 MB at 28672 columns.
    package init(layout: PanelLayout, kernels: KernelSet) {
        self.layout = layout
        self.kernels = kernels
        grids = DefaultGrids.tables(for: layout.type)
        let bytes = layout.paddedColumns * PanelLayout.rowsPerPanel * 4
        source = aligned_alloc(64, bytes)!.assumingMemoryBound(to: Float.self)
        stored = aligned_alloc(64, bytes)!.assumingMemoryBound(to: Float.self)
    }

    deinit {
        free(source)
        free(stored)
    }

    /// The grids of the directory record: 64 bytes, or empty where the type uses none.
    package static func gridBytes(for type: StorageType) -> [UInt8] {
        type.traits.usesGrids ? DefaultGrids.tables(for: type).bytes : []
    }

    /// Encodes panel `index` of the tensor.
    ///
    /// - *Shapes*: `rows` holds the panel's source rows without gaps (16, fewer in the last panel); `out` has `layout.panelBytes`, 64-byte aligned.
    /// - *Accuracy*: the same bytes and sums on every instruction set.
    /// - Throws: the first value that is not finite, as row and column of the whole tensor. A value too large for fp16 shows as an infinite
    ///   `largest` in the sums.
    package func encode(
        panel index: Int, rows: UnsafeRawPointer, sourceType: SourceType, into out: UnsafeMutableRawPointer
    ) throws(NotFinite) -> ErrorSums {
        let (first, count) = try widen(panel: index, rows: rows, sourceType: sourceType)
        kernels.encode(source, layout: layout, grids: grids, into: out)
        kernels.decode(out, layout: layout, grids: grids.bytes, into: stored)
        return kernels.measure(source, stored, columns: layout.columns, firstRow: first, rows: count)
    }

    /// Error sums of a stored panel against its source rows, as `encode` would give them.
    package func measure(
        panel index: Int, rows: UnsafeRawPointer, sourceType: SourceType, stored panel: UnsafeRawPointer, grids: [UInt8]
    ) throws(NotFinite) -> ErrorSums {
        let (first, count) = try widen(panel: index, rows: rows, sourceType: sourceType)
        kernels.decode(panel, layout: layout, grids: grids.isEmpty ? self.grids.bytes : grids, into: stored)
        return kernels.measure(source, stored, columns: layout.columns, firstRow: first, rows: count)
    }

    private func widen(panel index: Int, rows: UnsafeRawPointer, sourceType: SourceType) throws(NotFinite) -> (first: Int, count: Int) {
        precondition(index >= 0 && index < layout.panels, "panel \(index) of \(layout.panels)")
        let first = index * PanelLayout.rowsPerPanel
        let count = min(PanelLayout.rowsPerPanel, layout.rows - first)
        do throws(NotFinite) {
            try kernels.widen(rows, sourceType, rows: count, columns: layout.columns, padded: layout.paddedColumns, into: source)
        } catch {
            throw NotFinite(row: first + error.row, column: error.column)
        }
        return (first, count)
    }
}
