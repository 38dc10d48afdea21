package import ByteStorage
package import ModelFiles
package import Tensors

/// Counts the codes of a file, panel by panel.
package enum CodeCounting {
    /// Of the types that hold more than this, panels are left out evenly: 10^8 codes tell the shares to a ten thousandth.
    package static let mostBytesPerType: UInt64 = 192 << 20

    /// Types with codes whose layout is known here.
    package static func isCounted(_ type: StorageType) -> Bool { CodeLayout(type) != nil }

    /// One entry for each type in the file, in the order of the types. Reads by position, so that a file which is cut
    /// meanwhile gives an error.
    ///
    /// *Complexity*: one pass over at most `mostBytesPerType` and a panel of each tensor per type.
    package static func count(
        _ tensors: [TensorRecord], in file: ReadableFile, mostBytesPerType: UInt64 = mostBytesPerType,
        progress: (_ done: UInt64, _ total: UInt64) -> Void = { _, _ in }
    ) throws(FileError) -> [CodeCounts] {
        var results: [CodeCounts] = []
        let counted = tensors.filter { isCounted($0.type) }
        var done: UInt64 = 0
        var total: UInt64 = 0
        for type in StorageType.allCases where CodeLayout(type) != nil {
            let bytes = counted.reduce(UInt64(0)) { $0 + ($1.type == type ? $1.bytes : 0) }
            if bytes == 0 { continue }
            results.append(CodeCounts(type: type, stride: Int((bytes + mostBytesPerType - 1) / mostBytesPerType)))
            total += bytes
        }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: chunkBytes, alignment: 64)
        defer { buffer.deallocate() }
        for index in results.indices {
            var tally = ByteTally(results[index])
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
        _ tensor: TensorRecord, in file: ReadableFile, stride: Int, _ buffer: UnsafeMutableRawBufferPointer, _ tally: inout ByteTally
    ) throws(FileError) {
        let layout = tensor.layout
        let unit = layout.type.traits.unitBytes
        let superblocks = layout.paddedColumns / layout.type.traits.columnMultiple
        let atOnce = chunkBytes / unit
        tally.begin(tensors: 1, panels: (layout.panels + stride - 1) / stride, of: layout.panels)
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

/// Where the codes of a superblock of 16 rows x 128 columns lie: after the headers, lines of 64 bytes in which four bytes belong to a row.
struct CodeLayout {
    let headerBytes: Int
    let block: Int
    /// Two codes in a byte, that of the line's first four columns in the low half.
    let isPacked: Bool
    let columnsPerLine: Int

    init?(_ type: StorageType) {
        let traits = type.traits
        guard traits.block > 0, traits.columnMultiple == 128 else { return nil }
        switch traits.codeBits {
        case 4: (isPacked, columnsPerLine) = (true, 8)
        case 8: (isPacked, columnsPerLine) = (false, 4)
        default: return nil
        }
        block = traits.block
        headerBytes = traits.columnMultiple / block * PanelLayout.rowsPerPanel
        guard traits.unitBytes == headerBytes + traits.columnMultiple / columnsPerLine * 64 else { return nil }
    }
}

/// Counts bytes; what they mean is worked out once at the end.
private struct ByteTally {
    private let layout: CodeLayout
    private var result: CodeCounts
    private var headers = [UInt64](repeating: 0, count: 256)
    /// Four tables, so that equal bytes in a row do not wait for each other.
    private var bytes = [UInt64](repeating: 0, count: 4 * 256)

    init(_ counts: CodeCounts) {
        guard let layout = CodeLayout(counts.type) else { preconditionFailure("codes of \(counts.type) are not counted") }
        self.layout = layout
        result = counts
    }

    mutating func begin(tensors: Int, panels: Int, of all: Int) {
        result.tensors += tensors
        result.panels += panels
        result.panelsInAll += all
    }

    /// One superblock of which `rows` rows and `columns` columns, or all 128, count.
    mutating func add(_ superblock: UnsafeRawBufferPointer, rows: Int, columns: Int) {
        let codes = UnsafeRawBufferPointer(rebasing: superblock[layout.headerBytes...])
        for (index, header) in superblock[..<layout.headerBytes].enumerated()
        where index % PanelLayout.rowsPerPanel < rows && index / PanelLayout.rowsPerPanel * layout.block < columns {
            headers[Int(header)] += 1
        }
        if rows == PanelLayout.rowsPerPanel && columns >= 128 { addAll(codes) } else { addSome(codes, rows: rows, columns: columns) }
    }

    private mutating func addAll(_ codes: UnsafeRawBufferPointer) {
        bytes.withUnsafeMutableBufferPointer { tables in
            for offset in stride(from: 0, to: codes.count, by: 8) {
                let word = codes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
                for place in 0..<8 {
                    tables[(place & 3) << 8 | Int(truncatingIfNeeded: word >> (8 * UInt64(place)) & 255)] &+= 1
                }
            }
        }
    }

    /// Codes at the edge, one by one: those in padding are left out.
    private mutating func addSome(_ codes: UnsafeRawBufferPointer, rows: Int, columns: Int) {
        for (index, byte) in codes.enumerated() where index % 64 / 4 < rows {
            let column = index / 64 * layout.columnsPerLine + index % 4
            if layout.isPacked {
                if column < columns { result.codes[Int(byte & 15)] += 1 }
                if column + 4 < columns { result.codes[Int(byte >> 4)] += 1 }
            } else if column < columns {
                result.codes[Int(byte)] += 1
            }
        }
    }

    var counts: CodeCounts {
        var result = result
        for index in bytes.indices {
            let byte = index & 255
            if layout.isPacked {
                result.codes[byte & 15] += bytes[index]
                result.codes[byte >> 4] += bytes[index]
            } else {
                result.codes[byte] += bytes[index]
            }
        }
        for (byte, count) in headers.enumerated() {
            if result.grids.isEmpty {
                result.scales[byte] += count
            } else {
                result.scales[byte & 63] += count
                result.grids[byte >> 6] += count
            }
        }
        return result
    }
}
