package import Kernels
package import Tensors

/// The grids that data-free quantization uses. Fitted by alternating search and least squares (Lloyd's method) on blocks of
/// N(0,1) and Student-t(5) rows with the scale search of the encoder. For q4 neighbouring values differ in parity, so that the nearest
/// value of a rounded number is the nearest value of the number itself: +0.02 dB.
package enum DefaultGrids {
    private static let byType: [StorageType: GridTables] = [.q4: q4, .q4s: q4s, .q6: q6, .q5: q5, .q3: q3]

    /// Types without grids get those of q4, which their encoders ignore.
    package static func tables(for type: StorageType) -> GridTables { byType[type] ?? q4 }

    private static let q4 = tables(.q4, [
        -63, -54, -37, -30, -23, -16, -11, -6, -1, 4, 11, 16, 23, 30, 37, 46,
        -63, -46, -37, -28, -21, -14, -7, -2, 3, 8, 13, 18, 25, 32, 41, 60,
        -63, -52, -43, -34, -25, -18, -11, -4, 1, 8, 13, 20, 27, 34, 45, 54,
        -63, -50, -33, -24, -17, -12, -7, -4, 1, 4, 9, 14, 19, 26, 35, 54,
    ])

    private static let q4s = tables(.q4s, [
        -63, -50, -36, -28, -21, -15, -10, -5, 0, 5, 10, 15, 21, 28, 36, 45,
        -63, -45, -36, -27, -20, -14, -8, -3, 2, 7, 12, 18, 24, 31, 41, 60,
        -63, -51, -41, -32, -24, -17, -11, -5, 1, 7, 13, 19, 26, 34, 43, 54,
        -63, -41, -30, -22, -16, -11, -7, -3, 0, 4, 8, 12, 17, 24, 32, 51,
    ])

    /// Symmetric, as the encoder expects it. Equal steps give 33.2 dB on N(0,1) and 31.0 dB on Student-t(5) rows, these 34.5 and 33.3.
    private static let q6: GridTables = {
        let magnitudes = [
            1, 4, 7, 9, 12, 15, 18, 21, 24, 27, 30, 33, 36, 40, 43, 47, 50, 54, 58, 62, 66, 71, 75, 80, 85, 90, 95, 101, 107, 114, 122, 127,
        ]
        return tables(.q6, magnitudes.reversed().map { -$0 } + magnitudes)
    }()

    private static let q5 = tables(.q5, [
        -63, -58, -53, -47, -43, -39, -35, -32, -28, -25, -21, -18, -15, -12, -9, -5, -3, 0, 3, 6, 9, 12, 15, 18, 22, 25, 29, 32, 36, 40, 44, 49,
        -63, -56, -50, -45, -40, -35, -31, -27, -23, -20, -16, -13, -10, -7, -5, -2, 1, 4, 6, 9, 12, 15, 18, 22, 26, 29, 34, 38, 43, 48, 55, 62,
    ])

    private static let q3 = tables(.q3, [
        -63, -36, -20, -9, 0, 10, 20, 34,
        -63, -42, -24, -9, 6, 21, 39, 58,
        -63, -44, -27, -13, 2, 17, 35, 59,
        -63, -34, -19, -6, 6, 17, 31, 47,
        -63, -40, -24, -10, 2, 13, 27, 49,
        -63, -31, -16, -4, 8, 21, 37, 61,
        -63, -43, -27, -13, 1, 14, 27, 42,
        -63, -26, -14, -5, 3, 11, 22, 40,
    ])

    private static func tables(_ type: StorageType, _ values: [Int]) -> GridTables {
        let bias = Int(type.traits.gridBytes.upperBound) / 2 + 1
        return GridTables(bytes: values.map { UInt8($0 + bias) }, for: type)
    }
}
