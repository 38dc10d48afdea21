import Glibc
package import Kernels
package import Tensors

/// Fits the grids of one tensor to a sample of its panels: alternately encoding with the present grids, and moving every grid value to where the
/// squared error of the weights that took it is least (Lloyd, "Least squares quantization in PCM", IEEE Trans. Inf. Theory 28, 1982).
package struct GridFit {
    package let layout: PanelLayout
    private let kernels: KernelSet
    /// Per column, how much a squared error counts; nil: all alike.
    private let weights: [Float]?

    /// Rounds at most; later ones gain less than 0.01 dB.
    private static let rounds = 4

    /// Types whose grids can be fitted. That of q6 is so fine that nothing is left to gain.
    package static func fits(_ type: StorageType) -> Bool { [.q5, .q4, .q4s, .q3].contains(type) }

    /// - Parameter weights: a number for each padded column, not negative.
    package init(layout: PanelLayout, weights: [Float]?, kernels: KernelSet) {
        precondition(Self.fits(layout.type), "grids of \(layout.type) are not fitted")
        precondition(weights.map { $0.count >= layout.columns } ?? true, "\(weights?.count ?? 0) weights for \(layout.columns) columns")
        (self.layout, self.weights, self.kernels) = (layout, weights, kernels)
    }

    /// The grids with the least error on the sample, and their error over that of the default grids; nil where no other grids are better.
    ///
    /// - *Shapes*: `panels` holds [padded][16] floats each, without gaps.
    package func fit(_ panels: UnsafePointer<Float>, count: Int) -> (grids: GridTables, gain: Double)? {
        let initial = DefaultGrids.tables(for: layout.type)
        var (best, bestSums) = (initial, sums(panels, count, initial))
        let first = bestSums.error
        guard first > 0, first.isFinite else { return nil }
        for _ in 0..<Self.rounds {
            let next = GridTables(bytes: moved(best.bytes, bestSums), for: layout.type)
            let sums = sums(panels, count, next)
            guard sums.error < bestSums.error else { break }
            (best, bestSums) = (next, sums)
        }
        return bestSums.error < first ? (best, bestSums.error / first) : nil
    }

    /// Of one encoding of the sample.
    private struct Sums {
        var error = 0.0
        /// Per grid byte: sum of weight x scale x source value, and of weight x scale^2.
        var products = [Double](repeating: 0, count: 64), squares = [Double](repeating: 0, count: 64)
    }

    private func sums(_ panels: UnsafePointer<Float>, _ count: Int, _ grids: GridTables) -> Sums {
        let values = layout.paddedColumns * PanelLayout.rowsPerPanel
        let stored = UnsafeMutableRawPointer.allocate(byteCount: layout.panelBytes, alignment: 64)
        let floats = UnsafeMutableRawPointer.allocate(byteCount: 3 * values * 4, alignment: 64).assumingMemoryBound(to: Float.self)
        defer {
            stored.deallocate()
            floats.deallocate()
        }
        let (decoded, scales, places) = (floats, floats + values, floats + 2 * values)
        // A stored value is scale x (grid byte - middle), so grids that are all one above the middle show the scales, and grids of consecutive
        // bytes, whatever the layout, which byte a weight took.
        let middle = UInt8(layout.type.traits.gridBytes.upperBound / 2 + 1)
        let ones = [UInt8](repeating: middle + 1, count: 64), numbers = (0..<64).map { middle - 32 + UInt8($0) }
        var sums = Sums()
        for panel in 0..<count {
            let source = panels + panel * values
            kernels.encode(source, layout: layout, grids: grids, into: stored)
            for (bytes, out) in [(grids.bytes, decoded), (ones, scales), (numbers, places)] {
                bytes.withUnsafeBufferPointer { kernels.decode(stored, layout: layout, grids: $0.baseAddress!, into: out) }
            }
            for column in 0..<layout.columns {
                let weight = Double(weights?[column] ?? 1)
                for at in column * 16..<column * 16 + 16 {
                    let scale = Double(scales[at]), value = Double(source[at]), difference = value - Double(decoded[at])
                    sums.error += weight * difference * difference
                    guard scale != 0 else { continue }
                    let place = Int((places[at] / scales[at]).rounded()) + 32
                    sums.products[place] += weight * scale * value
                    sums.squares[place] += weight * scale * scale
                }
            }
        }
        return sums
    }

    /// Every value where its error is least, as far as the order within its grid and the limits allow.
    private func moved(_ bytes: [UInt8], _ sums: Sums) -> [UInt8] {
        let traits = layout.type.traits, codes = 64 / traits.grids, middle = Double(traits.gridBytes.upperBound / 2 + 1)
        var moved = bytes
        for index in 0..<64 where sums.squares[index] > 0 {
            let wanted = (sums.products[index] / sums.squares[index] + middle).rounded()
            let least = index % codes == 0 ? Double(traits.gridBytes.lowerBound) : Double(moved[index - 1]) + 1
            moved[index] = UInt8(min(max(wanted, least), Double(traits.gridBytes.upperBound) - Double(codes - 1 - index % codes)))
        }
        // A value that stayed may have been passed by the one below it.
        for index in 1..<64 where index % codes != 0 && moved[index] <= moved[index - 1] { moved[index] = moved[index - 1] + 1 }
        return moved
    }
}
