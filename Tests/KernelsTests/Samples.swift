import Kernels
import RandomNumbers
import Tensors
import TestSupport

/// Column and row counts around every boundary of the layout: lanes, blocks, superblocks, windows.
let awkwardColumns = [1, 15, 16, 31, 32, 33, 127, 128, 129, 255, 256, 257, 384, 1023, 4096]
let awkwardRows = [1, 15, 16, 17, 33]
let scalar = KernelSet(named: "scalar")!
let others = KernelSet.available.filter { $0.name != "scalar" }

/// A matrix of random bits, so that it has every header, code and factor. Row scales have both signs.
struct RandomMatrix {
    let memory: GuardedMemory
    let matrix: StoredMatrix
    let gridBytes: [UInt8]

    init(_ type: StorageType, rows: Int, columns: Int, seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let layout = PanelLayout(type: type, rows: rows, columns: columns)!
        memory = GuardedMemory(count: layout.byteCount)
        if type.isQuantized {
            for index in memory.bytes.indices { memory.bytes[index] = random.byte() }
            for panel in 0..<layout.panels {
                for row in 0..<16 {
                    memory.bytes.storeBytes(of: Float(random.gaussian() * 0.01), toByteOffset: panel * layout.panelBytes + 4 * row, as: Float.self)
                }
            }
        } else if type == .f16 {
            for index in 0..<layout.byteCount / 2 {
                var bits = UInt16(truncatingIfNeeded: random.next())
                if bits & 0x7C00 == 0x7C00 { bits ^= 0x4000 }
                memory.bytes.storeBytes(of: bits, toByteOffset: 2 * index, as: UInt16.self)
            }
        } else {
            for index in 0..<layout.byteCount / 4 { memory.bytes.storeBytes(of: Float(random.gaussian()), toByteOffset: 4 * index, as: Float.self) }
        }
        gridBytes = type.traits.usesGrids ? (0..<64).map { _ in random.byte() % type.traits.gridBytes.upperBound + 1 } : []
        matrix = StoredMatrix(layout: layout, bytes: memory.raw, grids: gridBytes)
    }

    /// All panels [panel][padded column][16 rows].
    func decoded(with kernels: KernelSet) -> [Float] {
        let layout = matrix.layout
        let out = GuardedMemory(count: layout.panels * layout.paddedColumns * 64)
        let grids = gridBytes.isEmpty ? [UInt8](repeating: 0, count: 64) : gridBytes
        for panel in 0..<layout.panels {
            kernels.decode(
                memory.base + panel * layout.panelBytes, layout: layout, grids: grids, into: out.floats + panel * layout.paddedColumns * 16)
        }
        return out.array(of: Float.self)
    }

    func row(_ index: Int, with kernels: KernelSet) -> [Float] {
        let out = GuardedMemory(count: matrix.layout.columns * 4)
        kernels.row(index, of: matrix, into: out.floats)
        return out.array(of: Float.self)
    }
}
