import Kernels
import Quantization
import RandomNumbers
import Tensors
import TestSupport
import Testing

@Suite struct GridFitTests {
    static let types = StorageType.allCases.filter(GridFit.fits)
    private let rows = 64, columns = 300

    /// [panels][padded][16], zeros in the padding.
    private func panels(_ values: [Float], _ layout: PanelLayout) -> GuardedMemory {
        var floats = [Float](repeating: 0, count: rows * layout.paddedColumns)
        for row in 0..<rows {
            for column in 0..<columns { floats[(row / 16 * layout.paddedColumns + column) * 16 + row % 16] = values[row * columns + column] }
        }
        return GuardedMemory(floats)
    }

    private func uniform(seed: UInt64) -> [Float] {
        var random = SplitMix64(seed: seed)
        return (0..<rows * columns).map { _ in Float(random.uniform() * 2 - 1) }
    }

    /// The relative error of another sample, encoded with some grids.
    private func error(_ values: [Float], _ layout: PanelLayout, _ grids: GridTables?, columnsFrom first: Int = 0, to end: Int? = nil) throws -> Double {
        let kernels = KernelSet.available[0], encoder = PanelEncoder(layout: layout, grids: grids, kernels: kernels)
        let source = GuardedMemory(values), memory = GuardedMemory(count: layout.byteCount)
        for panel in 0..<layout.panels {
            _ = try encoder.encode(panel: panel, rows: source.base + panel * 16 * columns * 4, sourceType: .f32, into: memory.base + panel * layout.panelBytes)
        }
        let matrix = StoredMatrix(layout: layout, bytes: memory.raw, grids: encoder.grids.bytes), row = GuardedMemory(count: columns * 4)
        var noise = 0.0, signal = 0.0
        for index in 0..<rows {
            kernels.row(index, of: matrix, into: row.floats)
            for column in first..<(end ?? columns) {
                let value = Double(values[index * columns + column]), difference = value - Double(row.floats[column])
                noise += difference * difference
                signal += value * value
            }
        }
        return noise / signal
    }

    /// Evenly distributed values are not what the default grids were made for. The gain shows on values that were not in the sample, too.
    @Test(arguments: types)
    func gainsWhereValuesAreDistributedOtherwise(type: StorageType) throws {
        let layout = try #require(PanelLayout(type: type, rows: rows, columns: columns))
        let sample = panels(uniform(seed: 1), layout)
        let fit = try #require(GridFit(layout: layout, weights: nil, kernels: .available[0]).fit(sample.floats, count: layout.panels))
        // 32 values have little left to gain.
        let gain = type == .q5 ? 0.998 : 0.97
        #expect(fit.gain < gain)
        let others = uniform(seed: 2)
        #expect(try error(others, layout, fit.grids) < gain * error(others, layout, nil))
        let codes = 64 / type.traits.grids
        for index in 1..<64 where index % codes != 0 { #expect(fit.grids.bytes[index] > fit.grids.bytes[index - 1], "in order at \(index)") }
        #expect(fit.grids.bytes.allSatisfy(type.traits.gridBytes.contains))
    }

    @Test(arguments: types)
    func sameOnEveryInstructionSet(type: StorageType) throws {
        let layout = try #require(PanelLayout(type: type, rows: rows, columns: columns))
        let sample = panels(uniform(seed: 3), layout)
        let grids = KernelSet.available.map { GridFit(layout: layout, weights: nil, kernels: $0).fit(sample.floats, count: layout.panels)?.grids.bytes }
        #expect(grids[0] != nil && grids.allSatisfy { $0 == grids[0] })
    }

    /// Columns that count for nothing do not shape the grids.
    @Test func heavyColumnsDecide() throws {
        let layout = try #require(PanelLayout(type: .q4, rows: rows, columns: columns)), half = 160
        var random = SplitMix64(seed: 4)
        var values = uniform(seed: 5)
        for row in 0..<rows { for column in half..<columns { values[row * columns + column] = Float(random.student(3)) } }
        let sample = panels(values, layout)
        func fit(_ first: Float, _ second: Float) throws -> GridTables {
            let weights = (0..<layout.paddedColumns).map { $0 < half ? first : second }
            return try #require(GridFit(layout: layout, weights: weights, kernels: .available[0]).fit(sample.floats, count: layout.panels)?.grids)
        }
        let one = try fit(1, 0), other = try fit(0, 1)
        #expect(try error(values, layout, one, to: half) < error(values, layout, other, to: half))
        #expect(try error(values, layout, other, columnsFrom: half) < error(values, layout, one, columnsFrom: half))
    }

    @Test func nothingToFit() throws {
        let layout = try #require(PanelLayout(type: .q4, rows: rows, columns: columns))
        let zeros = panels([Float](repeating: 0, count: rows * columns), layout)
        #expect(GridFit(layout: layout, weights: nil, kernels: .available[0]).fit(zeros.floats, count: layout.panels) == nil)
    }
}
