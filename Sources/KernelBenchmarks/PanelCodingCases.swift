import Kernels
import Quantization
import Tensors

/// What conversion and verification do with one panel of 16 rows: widen, encode, decode, measure; and a row's decoding for the embedding.
enum PanelCodingCases {
    static func cases(_ sizes: KernelSizes) -> [KernelCase] {
        let columns = sizes.columns
        let widen = SourceType.allCases.map { type in
            KernelCase("widen \(type.name) 16x\(columns)", bytes: 16 * columns * (type.bytes + 4)) {
                let (source, out) = (source(type, count: 16 * columns), Memory(bytes: 16 * columns * 4))
                return {
                    do throws(NotFinite) {
                        try $0.widen(source.base, type, rows: 16, columns: columns, padded: columns, into: out.floats)
                    } catch { preconditionFailure("the values are finite: \(error)") }
                }
            }
        }
        let coding = StorageType.allCases.flatMap { type in
            let layout = PanelLayout(type: type, rows: 16, columns: columns)!
            let padded = layout.paddedColumns
            let bytes = 16 * padded * 4 + layout.panelBytes
            let grids = DefaultGrids.tables(for: type)
            return [
                KernelCase("encode \(type) 16x\(columns)", bytes: bytes) {
                    let (floats, panel) = (Memory(floats: 16 * padded), Memory(bytes: layout.panelBytes))
                    return { $0.encode(floats.floats, layout: layout, grids: grids, into: panel.base) }
                },
                KernelCase("decode \(type) 16x\(columns)", bytes: bytes) {
                    let (panel, out) = (encoded(layout, grids), Memory(bytes: 16 * padded * 4))
                    return { $0.decode(panel.base, layout: layout, grids: grids.bytes, into: out.floats) }
                },
                KernelCase("decode_row \(type) \(columns)", bytes: columns * 4 + layout.panelBytes / 16) {
                    let (panel, out) = (encoded(layout, grids), Memory(bytes: padded * 4))
                    let matrix = StoredMatrix(
                        layout: layout, bytes: UnsafeRawBufferPointer(start: panel.base, count: layout.byteCount),
                        grids: PanelEncoder.gridBytes(for: type))
                    // The matrix does not own its bytes.
                    return { kernels in withExtendedLifetime(panel) { kernels.row(3, of: matrix, into: out.floats) } }
                },
            ]
        }
        let measure = KernelCase("measure 16x\(columns)", bytes: 2 * 16 * columns * 4) {
            let (source, stored) = (Memory(floats: 16 * columns), Memory(floats: 16 * columns))
            return { _ = $0.measure(source.floats, stored.floats, columns: columns, firstRow: 0, rows: 16) }
        }
        return widen + coding + [measure]
    }

    private static func encoded(_ layout: PanelLayout, _ grids: GridTables) -> Memory {
        let (floats, panel) = (Memory(floats: 16 * layout.paddedColumns), Memory(bytes: layout.byteCount))
        KernelSet.available[0].encode(floats.floats, layout: layout, grids: grids, into: panel.base)
        return panel
    }

    /// Finite values of a source type.
    private static func source(_ type: SourceType, count: Int) -> Memory {
        let floats = Memory(floats: count)
        guard type != .f32 else { return floats }
        let halves = Memory(bytes: count * 2)
        if type == .f16 {
            KernelSet.available[0].narrow(floats.floats, count: count, into: halves.halves)
        } else {
            for index in 0..<count { halves.halves[index] = UInt16(floats.floats[index].bitPattern >> 16) }
        }
        return halves
    }
}
