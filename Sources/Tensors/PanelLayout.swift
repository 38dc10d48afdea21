/// Where the bytes of a stored tensor lie. A tensor is a row of panels; a panel is 16 rows by all columns.
/// Source of the layout: `Formats/StorageTypes.md`, section 2.
package struct PanelLayout: Sendable, Equatable {
    package static let rowsPerPanel = 16
    /// Columns that share one factor byte per row.
    package static let window = 256

    package let type: StorageType
    package let rows: Int
    package let columns: Int

    /// Limits that keep every size below well inside Int: 2^31 rows or columns, 2^40 values.
    package static let largestDimension = 1 << 31
    package static let largestCount = 1 << 40

    /// Nil when a dimension is not in 1...2^31 or the tensor has more than 2^40 values.
    package init?(type: StorageType, rows: Int, columns: Int) {
        guard (1...Self.largestDimension).contains(rows), (1...Self.largestDimension).contains(columns) else { return nil }
        let (count, overflow) = rows.multipliedReportingOverflow(by: columns)
        guard !overflow, count <= Self.largestCount else { return nil }
        self.type = type
        self.rows = rows
        self.columns = columns
    }

    package var panels: Int { (rows + Self.rowsPerPanel - 1) / Self.rowsPerPanel }

    /// Columns after padding with zeros.
    package var paddedColumns: Int {
        let multiple = type.traits.columnMultiple
        return (columns + multiple - 1) / multiple * multiple
    }

    /// Bytes before the first superblock of a panel: 16 row scales, then the factors, padded to 64, where there is more than one window.
    package var panelHeaderBytes: Int {
        guard type.isQuantized else { return 0 }
        let windows = (paddedColumns + Self.window - 1) / Self.window
        return windows == 1 ? 64 : 64 + (windows * Self.rowsPerPanel + 63) / 64 * 64
    }

    package var panelBytes: Int {
        let traits = type.traits
        return panelHeaderBytes + paddedColumns / traits.columnMultiple * traits.unitBytes
    }

    package var byteCount: Int { panels * panelBytes }

    package var bitsPerWeight: Double { Double(byteCount) * 8 / (Double(rows) * Double(columns)) }
}
