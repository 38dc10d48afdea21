package import Tensors

/// Where the codes of a superblock of 16 rows x 128 columns lie: behind its headers in units of some columns; a unit is a sequence of planes
/// of 64-byte lines. In a line byte 4r + i belongs to row r and the columns 4g + i of the unit, g being a group. A plane of b bits
/// holds 8 / b groups in each line, the first in the lowest bits. A code is its planes' bits, those of the first plane lowest.
/// Authority: `Formats/StorageTypes.md`, section 2.2.
package struct CodeLayout: Sendable, Equatable {
    package let codeBits: Int
    /// Columns that share a header byte.
    package let block: Int
    /// How many grids a header byte chooses from; 0 for types without.
    package let gridCount: Int
    let unitColumns: Int
    let planes: [Int]

    package static let columns = 128

    /// Nil for types without codes.
    package init?(_ type: StorageType) {
        let traits = type.traits
        guard traits.isCoded, traits.columnMultiple == Self.columns else { return nil }
        self.init(codeBits: traits.codeBits, block: traits.block, gridCount: traits.grids)
        guard traits.unitBytes == headerBytes + codeBytes else { return nil }
    }

    /// Nil for widths that no type has.
    package init?(codeBits: Int, block: Int, gridCount: Int) {
        switch codeBits {
        case 8, 4: (unitColumns, planes) = (Self.columns, [codeBits])
        case 6: (unitColumns, planes) = (32, [4, 2])
        case 5: (unitColumns, planes) = (32, [4, 1])
        case 3: (unitColumns, planes) = (32, [2, 1])
        default: return nil
        }
        (self.codeBits, self.block, self.gridCount) = (codeBits, block, gridCount)
    }

    package var headerBytes: Int { Self.columns / block * PanelLayout.rowsPerPanel }
    package var codeBytes: Int { Self.columns * PanelLayout.rowsPerPanel * codeBits / 8 }

    /// Bits of a header byte that are the scale; those above are the grid.
    package var scaleBits: Int { 8 - (gridCount > 1 ? gridCount.trailingZeroBitCount : 0) }

    /// The number that a stored scale stands for. One that shares its byte with a grid has a sign.
    package func scale(at index: Int) -> Int { gridCount > 1 ? index - 1 << (scaleBits - 1) : index }

    /// The code of a row and a column of the superblock whose codes begin at `codes`.
    package func code(_ codes: UnsafeRawBufferPointer, row: Int, column: Int) -> Int {
        var line = column / unitColumns * (unitColumns / 4 * codeBits / 8)
        let (group, byte) = (column % unitColumns / 4, 4 * row + column % 4)
        var (code, shift) = (0, 0)
        for bits in planes {
            let perLine = 8 / bits
            let value = Int(codes[64 * (line + group / perLine) + byte]) >> (group % perLine * bits) & (1 << bits - 1)
            code |= value << shift
            shift += bits
            line += unitColumns / 4 / perLine
        }
        return code
    }
}

extension StorageType.Traits {
    /// Float types have neither codes nor blocks.
    fileprivate var isCoded: Bool { codeBits > 0 && block > 0 }
}
