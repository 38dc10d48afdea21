/// How a tensor's values are stored in a `.quern` file. One row here, one section in `Formats/StorageTypes.md`.
/// This file holds the only switch over storage types.
package enum StorageType: UInt16, CaseIterable, Sendable, CustomStringConvertible {
    case f32 = 1
    case f16 = 2
    case q8 = 3
    case q4 = 4
    case q4s = 5
    case q6 = 6
    case q5 = 7
    case q3 = 8

    /// The facts of one storage type. Layout and formulas: `Formats/StorageTypes.md`.
    package struct Traits: Sendable {
        package var name: String
        /// Bits of one code; 0 for float types.
        package var codeBits: Int
        /// K values that share one header byte; 0 for float types.
        package var block: Int
        /// Bytes of one superblock (16 rows x 128 K), or for float types of one column of 16 rows.
        package var unitBytes: Int
        /// Columns are padded to a multiple of this.
        package var columnMultiple: Int
        /// How many grids share the directory's 64 bytes; 0 where they are not used.
        package var grids: Int
        package var usesGrids: Bool { grids > 0 }
        /// What a grid byte may be. Values within +-63 (biased by 64) keep integer sums small; 6-bit codes need finer steps (biased by 128).
        package var gridBytes: ClosedRange<UInt8> { codeBits == 6 ? 1...255 : 1...127 }
    }

    package var traits: Traits {
        switch self {
        case .f32: Traits(name: "f32", codeBits: 0, block: 0, unitBytes: 64, columnMultiple: 1, grids: 0)
        case .f16: Traits(name: "f16", codeBits: 0, block: 0, unitBytes: 32, columnMultiple: 1, grids: 0)
        case .q8: Traits(name: "q8", codeBits: 8, block: 32, unitBytes: 64 + 2048, columnMultiple: 128, grids: 0)
        case .q4: Traits(name: "q4", codeBits: 4, block: 16, unitBytes: 128 + 1024, columnMultiple: 128, grids: 4)
        case .q4s: Traits(name: "q4s", codeBits: 4, block: 32, unitBytes: 64 + 1024, columnMultiple: 128, grids: 4)
        case .q6: Traits(name: "q6", codeBits: 6, block: 32, unitBytes: 64 + 1536, columnMultiple: 128, grids: 1)
        case .q5: Traits(name: "q5", codeBits: 5, block: 32, unitBytes: 64 + 1280, columnMultiple: 128, grids: 2)
        case .q3: Traits(name: "q3", codeBits: 3, block: 32, unitBytes: 64 + 768, columnMultiple: 128, grids: 8)
        }
    }

    package var name: String { traits.name }
    package var description: String { traits.name }
    package var isQuantized: Bool { traits.codeBits > 0 }

    package init?(name: some StringProtocol) {
        guard let type = Self.allCases.first(where: { $0.name == name }) else { return nil }
        self = type
    }
}
