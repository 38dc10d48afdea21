import CKernels
package import Tensors

/// The grids of a storage type and the tables by which the encoder finds the nearest values. 4 KB, shared by all threads.
package final class GridTables: @unchecked Sendable {  // Safe: nothing changes after init.
    let tables: UnsafeMutablePointer<ck_grid_tables>
    /// As in the directory record: 64 bytes.
    package let bytes: [UInt8]

    package init(bytes: [UInt8], for type: StorageType) {
        precondition(bytes.count == 64 && bytes.allSatisfy(type.traits.gridBytes.contains), "64 grid bytes within \(type.traits.gridBytes)")
        self.bytes = bytes
        tables = .allocate(capacity: 1)
        ck_prepare_grids(Int32(type.rawValue), bytes, tables)
    }

    deinit { tables.deallocate() }
}

/// Where a value that is not finite stands.
package struct NotFinite: Error, Equatable {
    package var row: Int
    package var column: Int

    package init(row: Int, column: Int) { (self.row, self.column) = (row, column) }
}

extension KernelSet {
    /// Up to 16 source rows to transposed floats.
    ///
    /// - *Shapes*: `source` holds `rows` rows of `columns` elements without gaps; `out` holds `padded` x 16 floats, zero outside rows and columns.
    package func widen(
        _ source: UnsafeRawPointer, _ type: SourceType, rows: Int, columns: Int, padded: Int, into out: UnsafeMutablePointer<Float>
    ) throws(NotFinite) {
        precondition((1...16).contains(rows) && columns >= 1 && padded >= columns, "\(rows) rows of \(columns) in \(padded)")
        let bad = table.pointee.widen(source, Int32(type.rawValue), Int64(columns * type.bytes), Int64(rows), Int64(columns), Int64(padded), out)
        if bad >= 0 { throw NotFinite(row: Int(bad) / columns, column: Int(bad) % columns) }
    }

    /// Transposed floats [padded][16] to one stored panel of `layout`.
    package func encode(_ floats: UnsafePointer<Float>, layout: PanelLayout, grids: GridTables, into panel: UnsafeMutableRawPointer) {
        Self.entry(table.pointee.encode, layout.type, as: ck_encode.self)(floats, Int64(layout.paddedColumns), grids.tables, panel.assumingMemoryBound(to: UInt8.self))
    }

    /// One stored panel to transposed floats [padded][16].
    package func decode(_ panel: UnsafeRawPointer, layout: PanelLayout, grids: UnsafePointer<UInt8>, into floats: UnsafeMutablePointer<Float>) {
        Self.entry(table.pointee.decode, layout.type, as: ck_decode.self)(panel.assumingMemoryBound(to: UInt8.self), Int64(layout.paddedColumns), grids, floats)
    }

    /// Error sums of one panel: source values against stored values, both [columns or more][16].
    ///
    /// `firstRow` is the panel's first row in its tensor, `rows` how many of its 16 count. `gains`, where given, gets 16 numbers: the factor by which a
    /// row's stored values would have to grow to have the product sum w^2 with the source's; 0 where there is none.
    package func measure(
        _ source: UnsafePointer<Float>, _ stored: UnsafePointer<Float>, columns: Int, firstRow: Int, rows: Int, gains: UnsafeMutablePointer<Double>? = nil
    ) -> ErrorSums {
        var panel = ck_panel_errors()
        table.pointee.measure(source, stored, Int64(columns), &panel)
        var sums = ErrorSums()
        sums.stored = panel.stored
        sums.product = panel.product
        sums.largest = panel.largest
        withUnsafeBytes(of: panel.signal) { signal in
            withUnsafeBytes(of: panel.noise) { noise in
                let (signal, noise) = (signal.bindMemory(to: Double.self), noise.bindMemory(to: Double.self))
                if let gains {
                    withUnsafeBytes(of: panel.row_product) { product in
                        let product = product.bindMemory(to: Double.self)
                        for row in 0..<16 { gains[row] = product[row] > 0 ? signal[row] / product[row] : 0 }
                    }
                }
                for row in 0..<rows {
                    sums.signal += signal[row]
                    sums.noise += noise[row]
                    if signal[row] > 0, noise[row] / signal[row] > sums.worstRowRatio {
                        sums.worstRowRatio = noise[row] / signal[row]
                        sums.worstRow = firstRow + row
                    }
                }
            }
        }
        return sums
    }
}
