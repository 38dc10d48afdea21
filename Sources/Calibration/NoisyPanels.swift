import Glibc
package import Kernels
package import LayerwiseInference

/// A matrix with an error of known size: every value moved up or down, at random, by the same part of its row's root mean square. A row is always
/// moved alike, however it is read.
package final class NoisyPanels: PanelSource {
    package let quantized: MatrixView? = nil
    private let base: any PanelSource
    private let size: Float
    private let seed: UInt64

    /// - Parameter relativeError: squared error over squares, of each row.
    package init(_ base: any PanelSource, relativeError: Double, seed: UInt64) {
        (self.base, size, self.seed) = (base, Float(relativeError.squareRoot()), seed)
    }

    package var rows: Int { base.rows }
    package var columns: Int { base.columns }

    package func expand(panel: Int, with kernels: KernelSet, scratch: UnsafeMutableRawPointer, into out: UnsafeMutablePointer<Float>) throws {
        try base.expand(panel: panel, with: kernels, scratch: scratch, into: out)
        for row in 0..<min(16, rows - panel * 16) { disturb(out + row, stride: 16, row: panel * 16 + row) }
    }

    package func row(_ row: Int, with kernels: KernelSet, scratch: UnsafeMutableRawPointer, into out: UnsafeMutablePointer<Float>) throws {
        try base.row(row, with: kernels, scratch: scratch, into: out)
        disturb(out, stride: 1, row: row)
    }

    private func disturb(_ values: UnsafeMutablePointer<Float>, stride: Int, row: Int) {
        var squares: Float = 0
        for column in 0..<columns { squares += values[column * stride] * values[column * stride] }
        let step = size * (squares / Float(columns)).squareRoot()
        var state = seed &+ UInt64(row) &* 0xD1B5_4A32_D192_ED03, bits: UInt64 = 0
        for column in 0..<columns {
            if column % 64 == 0 { bits = Self.next(&state) }
            values[column * stride] += bits & 1 == 0 ? step : -step
            bits >>= 1
        }
    }

    /// SplitMix64 (Steele, Lea and Flood 2014).
    private static func next(_ state: inout UInt64) -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
