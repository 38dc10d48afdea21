import Glibc
package import Kernels
package import LayerwiseInference
import RandomNumbers

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
        var random = SplitMix64(seed: seed &+ UInt64(row) &* 0xD1B5_4A32_D192_ED03), bits: UInt64 = 0
        for column in 0..<columns {
            if column % 64 == 0 { bits = random.next() }
            values[column * stride] += bits & 1 == 0 ? step : -step
            bits >>= 1
        }
    }
}
