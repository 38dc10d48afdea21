package import ByteStorage
package import ModelFiles
import Tensors

/// Counts the codes of a file, panel by panel.
package enum CodeCounting {
    /// Of the types that hold more than this, panels are left out evenly: 10^8 codes tell the shares to a ten thousandth.
    package static let mostBytesPerType: UInt64 = 192 << 20

    /// One entry for each type in the file, in the order of the types. Reads by position, so that a file which is cut
    /// meanwhile gives an error.
    ///
    /// *Complexity*: one pass over at most `mostBytesPerType` and a panel of each tensor per type.
    package static func count(
        _ tensors: [TensorRecord], in file: ReadableFile, mostBytesPerType: UInt64 = mostBytesPerType,
        progress: (_ done: UInt64, _ total: UInt64) -> Void = { _, _ in }
    ) throws(FileError) -> [CodeCounts] {
        var results: [CodeCounts] = []
        let counted = tensors.filter { CodeLayout($0.type) != nil }
        var done: UInt64 = 0
        var total: UInt64 = 0
        for type in StorageType.allCases {
            guard let layout = CodeLayout(type) else { continue }
            let bytes = counted.reduce(UInt64(0)) { $0 + ($1.type == type ? $1.bytes : 0) }
            if bytes == 0 { continue }
            results.append(CodeCounts(type: type, layout: layout, stride: Int((bytes + mostBytesPerType - 1) / mostBytesPerType)))
            total += bytes
        }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: chunkBytes, alignment: 64)
        defer { buffer.deallocate() }
        for index in results.indices {
            var tally = CodeTally(results[index])
            for tensor in counted where tensor.type == results[index].type {
                try count(tensor, in: file, stride: results[index].stride, buffer, &tally)
                done += tensor.bytes
                progress(done, total)
            }
            results[index] = tally.counts
        }
        return results
    }

    private static let chunkBytes = 1 << 20

    private static func count(
        _ tensor: TensorRecord, in file: ReadableFile, stride: Int, _ buffer: UnsafeMutableRawBufferPointer, _ tally: inout CodeTally
    ) throws(FileError) {
        let layout = tensor.layout
        let unit = layout.type.traits.unitBytes
        let superblocks = layout.paddedColumns / layout.type.traits.columnMultiple
        let atOnce = chunkBytes / unit
        tally.begin(panels: (layout.panels + stride - 1) / stride, of: layout.panels)
        for panel in Swift.stride(from: 0, to: layout.panels, by: stride) {
            let rows = min(PanelLayout.rowsPerPanel, layout.rows - panel * PanelLayout.rowsPerPanel)
            let start = tensor.offset + UInt64(panel * layout.panelBytes + layout.panelHeaderBytes)
            for first in Swift.stride(from: 0, to: superblocks, by: atOnce) {
                let part = UnsafeMutableRawBufferPointer(rebasing: buffer[..<(min(atOnce, superblocks - first) * unit)])
                try file.read(into: part, at: start + UInt64(first * unit))
                for offset in Swift.stride(from: 0, to: part.count, by: unit) {
                    let column = (first + offset / unit) * layout.type.traits.columnMultiple
                    tally.add(UnsafeRawBufferPointer(rebasing: part[offset..<offset + unit]), rows: rows, columns: layout.columns - column)
                }
            }
        }
    }
}

/// Counts bytes where that is enough; what they mean is worked out once at the end.
package struct CodeTally {
    private let layout: CodeLayout
    private var result: CodeCounts
    private var headers = [UInt64](repeating: 0, count: 256)
    /// Four tables, so that equal bytes in a row do not wait for each other.
    private var bytes = [UInt64](repeating: 0, count: 4 * 256)

    package init(_ counts: CodeCounts) {
        layout = counts.layout
        result = counts
    }

    mutating func begin(panels: Int, of all: Int) {
        result.tensors += 1
        result.panels += panels
        result.panelsInAll += all
    }

    /// One superblock of which `rows` rows and `columns` columns, or all 128, count.
    package mutating func add(_ superblock: UnsafeRawBufferPointer, rows: Int, columns: Int) {
        precondition(superblock.count == layout.headerBytes + layout.codeBytes, "a superblock of \(superblock.count) bytes")
        let columns = min(columns, CodeLayout.columns)
        for (index, header) in superblock[..<layout.headerBytes].enumerated()
        where index % PanelLayout.rowsPerPanel < rows && index / PanelLayout.rowsPerPanel * layout.block < columns {
            headers[Int(header)] += 1
        }
        let codes = UnsafeRawBufferPointer(rebasing: superblock[layout.headerBytes...])
        if layout.planes.count == 1 && rows == PanelLayout.rowsPerPanel && columns == CodeLayout.columns { return addBytes(codes) }
        for column in 0..<columns {
            for row in 0..<rows { result.codes[layout.code(codes, row: row, column: column)] += 1 }
        }
    }

    private mutating func addBytes(_ codes: UnsafeRawBufferPointer) {
        bytes.withUnsafeMutableBufferPointer { tables in
            for offset in stride(from: 0, to: codes.count, by: 8) {
                let word = codes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
                for place in 0..<8 {
                    tables[(place & 3) << 8 | Int(truncatingIfNeeded: word >> (8 * UInt64(place)) & 255)] &+= 1
                }
            }
        }
    }

    package var counts: CodeCounts {
        var result = result
        for (index, count) in bytes.enumerated() where count > 0 {
            for shift in stride(from: 0, to: 8, by: layout.codeBits) {
                result.codes[(index & 255) >> shift & (1 << layout.codeBits - 1)] += count
            }
        }
        for (byte, count) in headers.enumerated() {
            result.scales[byte & (1 << layout.scaleBits - 1)] += count
            if !result.grids.isEmpty { result.grids[byte >> layout.scaleBits] += count }
        }
        return result
    }
}
