package import Kernels
package import Tensors

/// The grids that data-free quantization uses. Fitted by alternating search and least squares (Lloyd's method) on blocks of
/// N(0,1) and Student-t(5) rows with the scale search of the encoder. For q4 neighbouring values differ in parity, so that the nearest
/// value of a rounded number is the nearest value of the number itself: +0.02 dB.
package enum DefaultGrids {
    package static func tables(for type: StorageType) -> GridTables { type == .q4s ? q4s : q4 }

    private static let q4 = GridTables(bytes: biased([
        -63, -54, -37, -30, -23, -16, -11, -6, -1, 4, 11, 16, 23, 30, 37, 46,
        -63, -46, -37, -28, -21, -14, -7, -2, 3, 8, 13, 18, 25, 32, 41, 60,
        -63, -52, -43, -34, -25, -18, -11, -4, 1, 8, 13, 20, 27, 34, 45, 54,
        -63, -50, -33, -24, -17, -12, -7, -4, 1, 4, 9, 14, 19, 26, 35, 54,
    ]))

    private static let q4s = GridTables(bytes: biased([
        -63, -50, -36, -28, -21, -15, -10, -5, 0, 5, 10, 15, 21, 28, 36, 45,
        -63, -45, -36, -27, -20, -14, -8, -3, 2, 7, 12, 18, 24, 31, 41, 60,
        -63, -51, -41, -32, -24, -17, -11, -5, 1, 7, 13, 19, 26, 34, 43, 54,
        -63, -41, -30, -22, -16, -11, -7, -3, 0, 4, 8, 12, 17, 24, 32, 51,
    ]))

    private static func biased(_ values: [Int]) -> [UInt8] { values.map { UInt8($0 + 64) } }
}
