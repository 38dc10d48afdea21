import Glibc
import CKernels
import Kernels
import RandomNumbers
import Tensors
import TestSupport
import Testing

@Suite struct StoredMatrixTests {
    @Test(arguments: StorageType.allCases)
    func decodingGivesTheSameBitsEverywhere(type: StorageType) {
        for columns in awkwardColumns {
            for rows in awkwardRows {
                let sample = RandomMatrix(type, rows: rows, columns: columns, seed: UInt64(columns * 64 + rows))
                let expected = sample.decoded(with: scalar)
                #expect(expected.allSatisfy { $0.isFinite }, "\(type) \(rows) x \(columns)")
                for kernels in others {
                    #expect(firstDifference(expected, sample.decoded(with: kernels)) == nil, "\(kernels.name) \(type) \(rows) x \(columns)")
                }
                let padded = sample.matrix.layout.paddedColumns
                for kernels in KernelSet.available {
                    for row in 0..<rows {
                        let base = row / 16 * padded * 16 + row % 16
                        let column = (0..<columns).map { expected[base + $0 * 16] }
                        #expect(firstDifference(column, sample.row(row, with: kernels)) == nil, "\(kernels.name) row \(row) of \(type) \(rows) x \(columns)")
                    }
                }
            }
        }
    }

    /// Infinite and NaN halves stay what they are: the encoder reports overflow by an infinite error.
    @Test func infiniteHalvesDecodeAsInfinite() {
        let layout = PanelLayout(type: .f16, rows: 16, columns: 1)!
        let bits: [UInt16] = [0x7C00, 0xFC00, 0x7E00] + [UInt16](repeating: 0x7BFF, count: 13)
        let memory = GuardedMemory(bits)
        let matrix = StoredMatrix(layout: layout, bytes: memory.raw, grids: [])
        for kernels in KernelSet.available {
            let out = GuardedMemory(count: 64), row = GuardedMemory(count: 4)
            kernels.decode(memory.base, layout: layout, grids: [UInt8](repeating: 0, count: 64), into: out.floats)
            let values = out.array(of: Float.self)
            #expect(values[0] == .infinity && values[1] == -.infinity && values[2].isNaN && values[3] == 65504, "\(kernels.name): \(values)")
            kernels.row(1, of: matrix, into: row.floats)
            #expect(row.floats[0] == -.infinity, "\(kernels.name): \(row.floats[0])")
        }
    }
}

private let mostTokens = 17
private let tokenCounts = [1, 2, 3, 4, 5, 7, 8, 9, 12, 17]

@Suite struct MatrixProductTests {
    /// Gaussian rows with outliers; token 3 is all zero.
    private func activations(_ tokens: Int, columns: Int, seed: UInt64) -> [[Float]] {
        var random = SplitMix64(seed: seed)
        return (0..<tokens).map { token in
            (0..<columns).map { _ in token == 3 ? 0 : Float(random.gaussian() * (random.next() % 64 == 0 ? 30 : 1)) }
        }
    }

    private func rows(_ values: [[Float]], columns: Int, with kernels: KernelSet) -> ActivationRows {
        let rows = ActivationRows(tokens: values.count, columns: columns)
        for (token, row) in values.enumerated() {
            for (column, value) in row.enumerated() { rows.row(token)[column] = value }
            rows.quantize(token, with: kernels)
        }
        return rows
    }

    private func product(
        _ matrix: StoredMatrix, panels: Range<Int>? = nil, by rows: ActivationRows, tokens: Int, stride: Int, precision: ProductPrecision = .exact,
        with kernels: KernelSet
    ) -> [Float] {
        let out = GuardedMemory(count: (tokens - 1) * stride * 4 + matrix.layout.panels * 64), scratch = GuardedMemory(count: MatrixView.scratchBytes)
        let range = panels ?? 0..<matrix.layout.panels
        MatrixView(matrix, kernels: kernels).multiply(
            panels: range, by: rows.view, tokens: tokens, precision: precision, scratch: scratch.base,
            into: out.floats + range.lowerBound * PanelLayout.rowsPerPanel, stride: stride)
        #expect(out.isIntact && scratch.isIntact)
        return out.array(of: Float.self)
    }

    /// Same bits on every set, for any split of panels, for any grouping of tokens; close to the product in double precision.
    @Test(arguments: StorageType.allCases)
    func products(type: StorageType) {
        for columns in awkwardColumns {
            for rowCount in awkwardRows {
                let note = "\(type) \(rowCount) x \(columns)"
                let sample = RandomMatrix(type, rows: rowCount, columns: columns, seed: UInt64(columns * 64 + rowCount + 1))
                let values = activations(mostTokens, columns: columns, seed: UInt64(columns))
                let matrix = sample.matrix, panels = matrix.layout.panels
                let stride = panels * 16
                let expected = product(matrix, by: rows(values, columns: columns, with: scalar), tokens: mostTokens, stride: stride, with: scalar)
                check(expected, sample, values, stride: stride, note: note)
                let isCheap = rowCount == 33 || rowCount == 1
                for kernels in KernelSet.available {
                    let all = rows(values, columns: columns, with: kernels)
                    if kernels.name != "scalar" {
                        let got = product(matrix, by: all, tokens: mostTokens, stride: stride, with: kernels)
                        #expect(firstDifference(expected, got) == nil, "\(kernels.name) \(note)")
                    }
                    guard isCheap else { continue }
                    for tokens in tokenCounts.dropLast() {
                        let got = product(matrix, by: all, tokens: tokens, stride: stride, with: kernels)
                        #expect(firstDifference(Array(expected.prefix(tokens * stride)), got) == nil, "\(kernels.name) \(note), \(tokens) tokens")
                    }
                    for token in 0..<mostTokens {
                        let single = rows([values[token]], columns: columns, with: kernels)
                        let got = product(matrix, by: single, tokens: 1, stride: stride, with: kernels)
                        #expect(firstDifference(Array(expected[token * stride..<(token + 1) * stride]), got) == nil, "\(kernels.name) \(note), token \(token) alone")
                    }
                    for split in 0...panels {
                        // A larger stride too, and rows outside the asked panels untouched.
                        let wide = stride + 5
                        let first = product(matrix, panels: 0..<split, by: all, tokens: mostTokens, stride: wide, with: kernels)
                        let second = product(matrix, panels: split..<panels, by: all, tokens: mostTokens, stride: wide, with: kernels)
                        var differs = false
                        for token in 0..<mostTokens {
                            for row in 0..<stride {
                                let (a, b) = (first[token * wide + row], second[token * wide + row])
                                let whole = expected[token * stride + row].bitPattern
                                differs = differs || (row < split * 16 ? a.bitPattern != whole || b.bitPattern != 0 : b.bitPattern != whole || a.bitPattern != 0)
                            }
                        }
                        #expect(!differs, "\(kernels.name) \(note), split at panel \(split)")
                    }
                }
            }
        }
    }

    /// Many tokens with folded block scales: same bits on every set that folds, exact on the others, and for any split of panels; exact for all but
    /// q4, and below the limit; else off by what rounding a row's 128 columns to 8 bits costs.
    @Test(arguments: StorageType.allCases.filter(\.isQuantized), [1, 128, 384, 1023])
    func requantizedProducts(type: StorageType, columns: Int) {
        let tokens = MatrixView.tokensForRequantizing + 1
        let sample = RandomMatrix(type, rows: 49, columns: columns, seed: UInt64(columns))
        let values = activations(tokens, columns: columns, seed: 5), matrix = sample.matrix, stride = matrix.layout.panels * 16
        let inputs = rows(values, columns: columns, with: scalar)
        let exact = product(matrix, by: inputs, tokens: tokens, stride: stride, with: scalar)
        let expected = product(matrix, by: inputs, tokens: tokens, stride: stride, precision: .requantized, with: scalar)
        for kernels in KernelSet.available {
            let inputs = rows(values, columns: columns, with: kernels)
            let got = product(matrix, by: inputs, tokens: tokens, stride: stride, precision: .requantized, with: kernels)
            let folds = ["scalar", "avx512", "avxvnni", "neon"].contains(kernels.name), expected = folds ? expected : exact
            #expect(firstDifference(expected, got) == nil, "\(kernels.name)")
            let few = product(matrix, by: inputs, tokens: tokens - 2, stride: stride, precision: .requantized, with: kernels)
            #expect(firstDifference(Array(exact.prefix((tokens - 2) * stride)), few) == nil, "\(kernels.name): below the limit")
            let second = product(matrix, panels: 1..<4, by: inputs, tokens: tokens, stride: stride, precision: .requantized, with: kernels)
            let differs = (0..<tokens).contains { t in (16..<stride).contains { second[t * stride + $0].bitPattern != expected[t * stride + $0].bitPattern } }
            #expect(!differs, "\(kernels.name): split")
        }
        if type != .q4 { #expect(firstDifference(exact, expected) == nil) }
        let signal = exact.reduce(0.0) { $0 + Double($1) * Double($1) }
        let noise = zip(exact, expected).reduce(0.0) { $0 + Double($1.0 - $1.1) * Double($1.0 - $1.1) }
        #expect(noise < signal * (columns == 1 ? 1e-3 : 1e-4), "\(10 * log10(signal / noise)) dB")
    }

    private func check(_ got: [Float], _ sample: RandomMatrix, _ values: [[Float]], stride: Int, note: String) {
        let layout = sample.matrix.layout, columns = layout.columns
        let inputs = values.map { layout.type.isQuantized ? quantizedReference($0).dequantized : $0.map(Double.init) }
        // The longest chain of rounded float operations behind one result, each off by at most 2^-24 of the sum of magnitudes.
        let blocks = layout.type.isQuantized ? 256 / layout.type.traits.block + layout.paddedColumns / 256 : columns / 4
        let unit = Double(blocks + 8) * 0x1p-24
        var worst = 0.0, place = ""
        for row in 0..<layout.rows {
            let weights = sample.row(row, with: scalar).map(Double.init)
            for token in 0..<mostTokens {
                var sum = 0.0, magnitude = 0.0
                for column in 0..<columns {
                    let term = weights[column] * inputs[token][column]
                    sum += term
                    magnitude += abs(term)
                }
                let error = abs(Double(got[token * stride + row]) - sum)
                // Below the smallest normal float results round absolutely.
                let ratio = error / (magnitude * unit + 1e-37)
                if !(ratio <= worst) { (worst, place) = (ratio, "row \(row), token \(token)") }
            }
        }
        #expect(worst <= 1, "\(note): error \(worst) times the bound at \(place)")
    }

    /// The largest codes against the largest activations: no 16-bit pair sum saturates.
    @Test(arguments: StorageType.allCases.filter(\.isQuantized), [UInt8(1), 127, 255])
    func extremeCodes(type: StorageType, gridValue: UInt8) {
        guard !type.traits.usesGrids || type.traits.gridBytes.contains(gridValue) else { return }
        for code: UInt8 in [0x00, 0xFF] {
            for header: UInt8 in [0x00, 0x1F, 0x3F, 0xFF] {
                let columns = 512
                let layout = PanelLayout(type: type, rows: 16, columns: columns)!
                let memory = GuardedMemory(count: layout.byteCount)
                for index in memory.bytes.indices { memory.bytes[index] = code }
                let headers = 128 / type.traits.block * 16
                for superblock in 0..<4 {
                    let start = layout.panelHeaderBytes + superblock * type.traits.unitBytes
                    for index in 0..<headers { memory.bytes[start + index] = header }
                }
                for row in 0..<16 { memory.bytes.storeBytes(of: 1, toByteOffset: 4 * row, as: Float.self) }
                for index in 64..<96 { memory.bytes[index] = 248 }  // factor 0.5
                let matrix = StoredMatrix(layout: layout, bytes: memory.raw, grids: type.traits.usesGrids ? [UInt8](repeating: gridValue, count: 64) : [])
                let n: Double = switch type {
                case .q8: Double(header) * (Double(code) - 128)
                case .q6: Double(header) * (Double(gridValue) - 128)
                case .q5: (Double(header & 127) - 64) * (Double(gridValue) - 64)
                case .q3: (Double(header & 31) - 16) * (Double(gridValue) - 64)
                default: (Double(header & 63) - 32) * (Double(gridValue) - 64)
                }
                for sign: Float in [1, -1] {
                    for kernels in KernelSet.available {
                        let values = [[Float](repeating: 3 * sign, count: columns)]
                        let got = product(matrix, by: rows(values, columns: columns, with: kernels), tokens: 1, stride: 16, with: kernels)
                        let expected = n * 0.5 * Double(columns) * 3 * Double(sign)
                        #expect(got.allSatisfy { abs(Double($0) - expected) <= abs(expected) * 1e-6 }, "\(kernels.name) \(type) header \(header) code \(code): \(got[0]), not \(expected)")
                    }
                }
            }
        }
    }
}

/// What quantize_activations must give, written plainly.
func quantizedReference(_ values: [Float]) -> (codes: [Int8], scales: [Float], sums: [Int32], dequantized: [Double]) {
    let padded = (values.count + 127) / 128 * 128
    let x = values + [Float](repeating: 0, count: padded - values.count)
    var codes: [Int8] = [], scales: [Float] = []
    for block in stride(from: 0, to: padded, by: 32) {
        let largest = x[block..<block + 32].map { abs($0) }.max()!
        let isZero = largest <= 1e-30
        scales.append(isZero ? 0 : largest / 127)
        let inverse: Float = isZero ? 0 : 127 / largest
        codes += x[block..<block + 32].map { Int8(($0 * inverse).rounded(.toNearestOrEven)) }
    }
    let sums = stride(from: 0, to: padded, by: 16).map { start in codes[start..<start + 16].reduce(Int32(0)) { $0 + Int32($1) } }
    return (codes, scales, sums, codes.enumerated().map { Double($1) * Double(scales[$0 / 32]) })
}
