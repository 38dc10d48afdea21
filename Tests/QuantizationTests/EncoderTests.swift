import Glibc
import Kernels
import Quantization
import RandomNumbers
import Tensors
import TestSupport
import Testing

/// A whole tensor encoded panel by panel.
struct Encoded {
    let layout: PanelLayout
    let memory: GuardedMemory
    var sums = ErrorSums()
    var panelSums: [ErrorSums] = []

    /// `source`: rows x columns elements of the source type without gaps.
    init(_ source: GuardedMemory, _ sourceType: SourceType = .f32, as type: StorageType, rows: Int, columns: Int, with kernels: KernelSet) throws {
        layout = PanelLayout(type: type, rows: rows, columns: columns)!
        memory = GuardedMemory(count: layout.byteCount)
        let encoder = PanelEncoder(layout: layout, kernels: kernels)
        for panel in 0..<layout.panels {
            let rows = source.base + panel * 16 * columns * sourceType.bytes, out = memory.base + panel * layout.panelBytes
            let part = try encoder.encode(panel: panel, rows: rows, sourceType: sourceType, into: out)
            panelSums.append(part)
            sums.add(part)
            let again = try encoder.measure(
                panel: panel, rows: rows, sourceType: sourceType, stored: out, grids: PanelEncoder.gridBytes(for: type))
            #expect(again == part, "measuring gives what encoding gave")
        }
        #expect(memory.isIntact)
    }

    init(_ values: [Float], as type: StorageType, rows: Int, columns: Int, with kernels: KernelSet = .available[0]) throws {
        try self.init(GuardedMemory(values), as: type, rows: rows, columns: columns, with: kernels)
    }

    /// Row-major values, by the row function.
    func decoded(with kernels: KernelSet = .available[0]) -> [Float] {
        let matrix = StoredMatrix(layout: layout, bytes: memory.raw, grids: PanelEncoder.gridBytes(for: layout.type))
        let out = GuardedMemory(count: layout.rows * layout.columns * 4)
        for row in 0..<layout.rows { kernels.row(row, of: matrix, into: out.floats + row * layout.columns) }
        return out.array(of: Float.self)
    }
}

/// Error figures in double precision.
private func reference(_ values: [Float], _ stored: [Float], rows: Int, columns: Int) -> ErrorSums {
    var sums = ErrorSums()
    for row in 0..<rows {
        var signal = 0.0, noise = 0.0
        for index in row * columns..<(row + 1) * columns {
            let (w, v) = (Double(values[index]), Double(stored[index]))
            signal += w * w
            noise += (w - v) * (w - v)
            sums.stored += v * v
            sums.product += w * v
            sums.largest = max(sums.largest, abs(w - v))
        }
        sums.signal += signal
        sums.noise += noise
        if signal > 0, noise / signal > sums.worstRowRatio { (sums.worstRowRatio, sums.worstRow) = (noise / signal, row) }
    }
    return sums
}

private func expectClose(_ got: ErrorSums, _ expected: ErrorSums, _ note: String) {
    func close(_ a: Double, _ b: Double, _ scale: Double) -> Bool { abs(a - b) <= scale * 2e-5 }
    // Noise is a sum of rounded differences: as exact as the differences themselves.
    #expect(close(got.signal, expected.signal, expected.signal), "\(note): signal \(got.signal), not \(expected.signal)")
    #expect(close(got.noise, expected.noise, expected.noise + expected.signal * 1e-12), "\(note): noise \(got.noise), not \(expected.noise)")
    #expect(close(got.stored, expected.stored, expected.stored), "\(note): stored \(got.stored), not \(expected.stored)")
    #expect(close(got.product, expected.product, (expected.signal * expected.stored).squareRoot()), "\(note): product \(got.product), not \(expected.product)")
    #expect(close(got.largest, expected.largest, expected.largest), "\(note): largest \(got.largest), not \(expected.largest)")
    #expect(close(got.worstRowRatio, expected.worstRowRatio, expected.worstRowRatio + 1e-12), "\(note): ratio \(got.worstRowRatio), not \(expected.worstRowRatio)")
}

private let columnCounts = [1, 15, 16, 31, 32, 33, 127, 128, 129, 255, 256, 257, 384, 1023, 4096]

@Suite struct EncoderTests {
    @Test(arguments: StorageType.allCases)
    func sameBytesAndSumsOnEverySet(type: StorageType) throws {
        var random = SplitMix64(seed: 11)
        for columns in columnCounts {
            for rows in [1, 15, 16, 17, 33] {
                let note = "\(type) \(rows) x \(columns)"
                // Rows of very different size, with heavy tails.
                let values = (0..<rows * columns).map { Float(random.student(5) * (0.01 + Double($0 / columns % 5))) }
                let expected = try Encoded(values, as: type, rows: rows, columns: columns, with: KernelSet(named: "scalar")!)
                for kernels in KernelSet.available {
                    let got = try Encoded(values, as: type, rows: rows, columns: columns, with: kernels)
                    let isSame = memcmp(got.memory.base, expected.memory.base, expected.layout.byteCount) == 0
                    #expect(isSame && got.panelSums == expected.panelSums, "\(kernels.name) \(note)")
                }
                let stored = expected.decoded()
                expectClose(expected.sums, reference(values, stored, rows: rows, columns: columns), note)
                if expected.sums.worstRowRatio > 0, type.isQuantized {
                    let row = expected.sums.worstRow
                    let own = reference(
                        Array(values[row * columns..<(row + 1) * columns]), Array(stored[row * columns..<(row + 1) * columns]), rows: 1, columns: columns)
                    #expect(abs(own.worstRowRatio - expected.sums.worstRowRatio) <= 1e-4 * own.worstRowRatio, "\(note): row \(row)")
                }
                if type == .f32 { #expect(firstDifference(values, stored) == nil && expected.sums.noise == 0, "\(note)") }
            }
        }
    }

    @Test(arguments: StorageType.allCases, [SourceType.f16, .bf16])
    func halfSources(type: StorageType, sourceType: SourceType) throws {
        var random = SplitMix64(seed: 12)
        let (rows, columns) = (19, 300)
        // Multiples of 1/8 up to 16 are exact in both.
        let values = (0..<rows * columns).map { _ in Float((random.uniform() * 256 - 128).rounded() / 8) }
        let halves: GuardedMemory
        if sourceType == .bf16 {
            halves = GuardedMemory(values.map { UInt16($0.bitPattern >> 16) })
        } else {
            let floats = GuardedMemory(values)
            halves = GuardedMemory(count: 2 * values.count)
            KernelSet.available[0].narrow(floats.floats, count: values.count, into: halves.base.assumingMemoryBound(to: UInt16.self))
        }
        let fromFloats = try Encoded(values, as: type, rows: rows, columns: columns)
        let fromHalves = try Encoded(halves, sourceType, as: type, rows: rows, columns: columns, with: .available[0])
        #expect(memcmp(fromFloats.memory.base, fromHalves.memory.base, fromFloats.layout.byteCount) == 0 && fromFloats.sums == fromHalves.sums)
        if type == .f16 { #expect(firstDifference(values, fromHalves.decoded()) == nil) }
    }

    @Test func notFiniteIsReportedByRowOfTheTensor() {
        var values = [Float](repeating: 1, count: 40 * 37)
        values[35 * 37 + 11] = .nan
        #expect(throws: NotFinite(row: 35, column: 11)) { _ = try Encoded(values, as: .q4, rows: 40, columns: 37) }
    }

    /// Inputs that no checkpoint should have. Nothing stored is infinite, what is all zero stays so, the sums make sense.
    @Test(arguments: StorageType.allCases)
    func extremeInputs(type: StorageType) throws {
        var random = SplitMix64(seed: 13)
        let (rows, columns) = (17, 700)
        let count = rows * columns
        let signs = (0..<count).map { _ in random.next() & 1 == 0 ? Float(1) : -1 }
        let normal = random.gaussians(count)
        let allSizes = (0..<count).map { index in normal[index] * Float(pow(10.0, Double(index % 60) - 30)) }
        let rowsOfAllSizes = (0..<count).map { index in normal[index] * Float(pow(10.0, Double(index / columns) * 4 - 32)) }
        let inputs: [(String, [Float])] = [
            ("zeros", [Float](repeating: 0, count: count)),
            ("negative zeros", [Float](repeating: -0.0, count: count)),
            ("one value", (0..<count).map { $0 == 5 * columns + 300 ? 0.7 : 0 }),
            ("one value per row", (0..<count).map { $0 % columns == 699 ? -0.7 : 0 }),
            ("denormals", signs.map { $0 * Float(bitPattern: 70000) }),
            ("smallest", signs.map { $0 * .leastNonzeroMagnitude }),
            ("1e-30", normal.map { $0 * 1e-30 }),
            ("1e-23", normal.map { $0 * 1e-23 }),
            ("1e-15", normal.map { $0 * 1e-15 }),
            ("huge", signs.map { $0 * 1e38 }),
            ("huge, various", normal.map { $0 * 5e37 }),
            ("largest", signs.map { $0 * .greatestFiniteMagnitude }),
            ("one huge among small", (0..<count).map { $0 % columns == 3 ? 3e38 : normal[$0] }),
            ("constant rows", (0..<count).map { Float($0 / columns + 1) * 0.37 }),
            ("negative constant", [Float](repeating: -0.123, count: count)),
            ("alternating", (0..<count).map { $0 % 2 == 0 ? 1.5 : -1.5 }),
            ("all sizes", allSizes),
            ("rows of all sizes", rowsOfAllSizes),
        ]
        for (name, values) in inputs {
            let note = "\(type), \(name)"
            let expected = try Encoded(values, as: type, rows: rows, columns: columns, with: KernelSet(named: "scalar")!)
            for kernels in KernelSet.available {
                let got = try Encoded(values, as: type, rows: rows, columns: columns, with: kernels)
                let isSame = memcmp(got.memory.base, expected.memory.base, expected.layout.byteCount) == 0
                #expect(isSame, "\(kernels.name) \(note): bytes")
                #expect(got.panelSums.map(String.init(describing:)) == expected.panelSums.map(String.init(describing:)), "\(kernels.name) \(note): sums")
                #expect(firstDifference(got.decoded(with: kernels), expected.decoded()) == nil, "\(kernels.name) \(note)")
            }
            let stored = expected.decoded(), sums = expected.sums
            if type == .f16, values.contains(where: { abs($0) >= 65520 }) {
                #expect(sums.largest == .infinity, "\(note): overflow shows")
                continue
            }
            #expect(stored.allSatisfy { $0.isFinite }, "\(note)")
            for figure in [sums.signal, sums.noise, sums.stored, sums.largest, sums.worstRowRatio] {
                #expect(figure.isFinite && figure >= 0, "\(note): \(sums)")
            }
            #expect(sums.product.isFinite && sums.worstRow < rows, "\(note): \(sums)")
            expectClose(sums, reference(values, stored, rows: rows, columns: columns), note)
            let bound = type == .q3 ? 0.2 : type.isQuantized ? 0.1 : 0.001
            if sums.signal / Double(count) > 1e-20 { #expect(sums.noise <= bound * sums.signal, "\(note): \(sums.sqnrDecibels) dB") }
            #expect(sums.worstRowRatio <= 1.0001, "\(note): a row is worse than zeros: \(sums.worstRowRatio)")
            // Blocks of zeros decode to zero bits, whatever surrounds them.
            let block = max(type.traits.block, 1)
            for row in 0..<rows {
                for start in stride(from: 0, to: columns, by: block) {
                    let range = row * columns + start..<row * columns + min(start + block, columns)
                    if values[range].allSatisfy({ $0 == 0 }) {
                        #expect(stored[range].allSatisfy { $0 == 0 }, "\(note): row \(row), column \(start)")
                    }
                }
            }
        }
    }

    private func decibels(_ type: StorageType, seed: UInt64, _ draw: (inout SplitMix64) -> Double) throws -> Double {
        var random = SplitMix64(seed: seed)
        let values = (0..<64 * 4096).map { _ in Float(draw(&random) * 0.02) }
        return try Encoded(values, as: type, rows: 64, columns: 4096).sums.sqnrDecibels
    }

    /// A stored row has the full product with its source row; codes of least squared error alone would have 2 % less with q3.
    @Test(arguments: StorageType.allCases.filter { (1..<8).contains($0.traits.codeBits) })
    func rowsKeepTheirGain(type: StorageType) throws {
        var random = SplitMix64(seed: 17)
        let values = (0..<32 * 1024).map { _ in Float(random.student(5) * 0.02) }
        let sums = try Encoded(values, as: type, rows: 32, columns: 1024).sums
        let gain = sums.product / sums.signal
        #expect(gain > 1 - 1e-5 && gain < 1 + 2e-4, "\(type): \(gain)")
        #expect(sums.stored > sums.signal, "\(type)")
    }

    @Test(arguments: [(StorageType.q4, 24.6), (.q4s, 23.1), (.q8, 45.5), (.f16, 70), (.q6, 34.4), (.q5, 28.9), (.q3, 17)])
    func qualityOnGaussianRows(type: StorageType, floor: Double) throws {
        let got = try decibels(type, seed: 14) { $0.gaussian() }
        #expect(got >= floor, "\(type): \(got) dB")
    }

    @Test(arguments: [(StorageType.q4, 23.7), (.q4s, 21.9), (.q6, 33), (.q5, 27.5), (.q3, 16.2)])
    func qualityOnHeavyTails(type: StorageType, floor: Double) throws {
        let got = try decibels(type, seed: 15) { $0.student(5) }
        #expect(got >= floor, "\(type): \(got) dB")
    }
}
