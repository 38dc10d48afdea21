import Glibc
package import Kernels
package import Tensors

/// Turns source rows into stored panels and measures what was lost. One per thread; it owns its scratch memory.
package final class PanelEncoder {
    package let layout: PanelLayout
    package let grids: GridTables
    private let kernels: KernelSet
    private let source: UnsafeMutablePointer<Float>
    private let stored: UnsafeMutablePointer<Float>
    private var feedbackScratch: FeedbackScratch?

    /// Scratch is 128 bytes per padded column: 3.7 MB at 28672 columns.
    ///
    /// - Parameter grids: nil for the default ones.
    package init(layout: PanelLayout, grids: GridTables? = nil, kernels: KernelSet) {
        self.layout = layout
        self.kernels = kernels
        self.grids = grids ?? DefaultGrids.tables(for: layout.type)
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
        return withUnsafeTemporaryAllocation(of: Double.self, capacity: 16) { gains in
            let sums = measured(out, source, first, count, gains: gains.baseAddress!)
            guard (1..<8).contains(layout.type.traits.codeBits), sums.largest.isFinite else { return sums }
            return keepGain(of: out, gains: gains, sums, first, count)
        }
    }

    /// Codes of least squared error are a little too short: with relative squared error D the stored row holds 1 - D of the source row. Such
    /// errors do not average out like noise; over the products of a layer and over the layers they add up. So the row scales grow until the stored row has the
    /// full product with the source row, at a cost of D^2 in squared error. On the bundled model this takes 18 % off the divergence at 4.5 bits per
    /// weight, where 3-bit types take part. (The same reason as in Vargaftik et al., "EDEN", arXiv 2108.08842.)
    private func keepGain(of panel: UnsafeMutableRawPointer, gains: UnsafeMutableBufferPointer<Double>, _ sums: ErrorSums, _ first: Int, _ count: Int) -> ErrorSums {
        let scales = panel.assumingMemoryBound(to: Float.self)
        let before = (0..<16).map { scales[$0] }
        for row in 0..<16 where gains[row] > 1 { scales[row] = Float(Double(scales[row]) * min(gains[row], Self.mostGain)) }
        let after = measured(panel, source, first, count, gains: gains.baseAddress!)
        if after.largest.isFinite && after.stored.isFinite { return after }
        // The values reach to the end of f32.
        for row in 0..<16 { scales[row] = before[row] }
        return sums
    }

    /// A row that lost more than a tenth of itself has other worries.
    private static let mostGain = 1.1

    /// A stored panel against its source values, of which `count` rows from row `first` of the tensor count.
    private func measured(
        _ panel: UnsafeRawPointer, _ floats: UnsafePointer<Float>, _ first: Int, _ count: Int, grids bytes: [UInt8]? = nil,
        gains: UnsafeMutablePointer<Double>? = nil
    ) -> ErrorSums {
        kernels.decode(panel, layout: layout, grids: bytes ?? grids.bytes, into: stored)
        return kernels.measure(floats, stored, columns: layout.columns, firstRow: first, rows: count, gains: gains)
    }

    /// Encodes the panels, in which errors are fed back, `layout.panelBytes` apart.
    ///
    /// As `encode` otherwise. Scratch grows by 256 bytes per padded column and panel that is worked on at once, 16 MB at most or that of one panel.
    package func encode(
        panels: Range<Int>, rows: UnsafeRawPointer, sourceType: SourceType, feedback: ErrorFeedback, into out: UnsafeMutableRawPointer
    ) throws(NotFinite) -> [ErrorSums] {
        let scratch = feedbackScratch ?? FeedbackScratch(padded: layout.paddedColumns)
        feedbackScratch = scratch
        let panelFloats = layout.paddedColumns * PanelLayout.rowsPerPanel
        var all: [ErrorSums] = []
        all.reserveCapacity(panels.count)
        for first in stride(from: panels.lowerBound, to: panels.upperBound, by: scratch.panels) {
            let count = min(scratch.panels, panels.upperBound - first)
            for index in 0..<count {
                let start = rows + (first + index - panels.lowerBound) * PanelLayout.rowsPerPanel * layout.columns * sourceType.bytes
                _ = try widen(panel: first + index, rows: start, sourceType: sourceType, into: scratch.source + index * panelFloats)
            }
            let place = out + (first - panels.lowerBound) * layout.panelBytes
            kernels.encodeWithFeedback(
                scratch.source, panels: count, layout: layout, feedback: feedback, grids: grids, scratch: scratch.work, into: place)
            for index in 0..<count {
                let (firstRow, rowCount) = rowsOfPanel(first + index)
                let (floats, panel) = (scratch.source + index * panelFloats, place + index * layout.panelBytes)
                var sums = measured(panel, floats, firstRow, rowCount)
                if !(sums.largest.isFinite && sums.stored.isFinite) {
                    // At the end of f32's range there is no room for what is fed back.
                    kernels.encode(floats, layout: layout, grids: grids, into: panel)
                    sums = measured(panel, floats, firstRow, rowCount)
                }
                all.append(sums)
            }
        }
        return all
    }

    /// Memory for panels that are encoded together: each piece of the feedback is then read from memory once for all of them.
    private final class FeedbackScratch {
        let panels: Int
        let source: UnsafeMutablePointer<Float>
        let work: UnsafeMutablePointer<Float>

        init(padded: Int) {
            let panelBytes = padded * PanelLayout.rowsPerPanel * 4
            panels = min(16, max(1, (8 << 20) / panelBytes))
            source = aligned_alloc(64, panels * panelBytes)!.assumingMemoryBound(to: Float.self)
            work = aligned_alloc(64, KernelSet.feedbackScratch(panels: panels, padded: padded) * 4)!.assumingMemoryBound(to: Float.self)
        }

        deinit {
            free(source)
            free(work)
        }
    }

    /// Error sums of a stored panel against its source rows, as `encode` would give them.
    package func measure(
        panel index: Int, rows: UnsafeRawPointer, sourceType: SourceType, stored panel: UnsafeRawPointer, grids: [UInt8]
    ) throws(NotFinite) -> ErrorSums {
        let (first, count) = try widen(panel: index, rows: rows, sourceType: sourceType)
        return measured(panel, source, first, count, grids: grids.isEmpty ? nil : grids)
    }

    private func rowsOfPanel(_ index: Int) -> (first: Int, count: Int) {
        let first = index * PanelLayout.rowsPerPanel
        return (first, min(PanelLayout.rowsPerPanel, layout.rows - first))
    }

    private func widen(
        panel index: Int, rows: UnsafeRawPointer, sourceType: SourceType, into floats: UnsafeMutablePointer<Float>? = nil
    ) throws(NotFinite) -> (first: Int, count: Int) {
        precondition(index >= 0 && index < layout.panels, "panel \(index) of \(layout.panels)")
        let (first, count) = rowsOfPanel(index)
        do throws(NotFinite) {
            try kernels.widen(rows, sourceType, rows: count, columns: layout.columns, padded: layout.paddedColumns, into: floats ?? source)
        } catch {
            throw NotFinite(row: first + error.row, column: error.column)
        }
        return (first, count)
    }
}
