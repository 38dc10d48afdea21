import ByteStorage
import Foundation
import Glibc
import ModelFiles
import RandomNumbers
import Reporting
import Tensors
import TestSupport
import Testing

@Suite struct CodeCountingTests {
    /// Random tensors one after the other in a file, as a model file has them.
    private struct MadeFile {
        let folder: TemporaryFolder
        let file: ReadableFile
        let tensors: [TensorRecord]
        let bytes: [UInt8]

        init(_ shapes: [(StorageType, rows: Int, columns: Int)], seed: UInt64) throws {
            var random = SplitMix64(seed: seed)
            let grids = [UInt8](repeating: 64, count: 64)
            let plan = try ModelFilePlan(
                shapes.enumerated().map { index, shape in
                    PlannedTensor(
                        name: "t\(index)", type: shape.0, rank: 2, rows: shape.rows, columns: shape.columns, sourceType: .f16,
                        grids: shape.0.traits.usesGrids ? grids : [])
                }, path: "made")
            tensors = plan.tensors
            let bytes = (0..<Int(plan.dataEnd)).map { _ in random.byte() }
            self.bytes = bytes
            folder = try TemporaryFolder()
            try Data(bytes).write(to: URL(filePath: folder.path("f")))
            file = try ReadableFile(path: folder.path("f"))
        }

        /// Straight from the sentences of `Formats/StorageTypes.md`, value by value.
        func slowCounts(_ type: StorageType, stride: Int = 1) -> (codes: [UInt64], scales: [UInt64], grids: [UInt64]) {
            var codes = [UInt64](repeating: 0, count: type == .q8 ? 256 : 16)
            var scales = [UInt64](repeating: 0, count: type == .q8 ? 256 : 64)
            var grids: [UInt64] = [0, 0, 0, 0]
            let block = type == .q4 ? 16 : 32
            for tensor in tensors where tensor.type == type {
                let layout = tensor.layout
                for row in 0..<tensor.rows where row / 16 % stride == 0 {
                    for column in 0..<tensor.columns {
                        let panel = Int(tensor.offset) + row / 16 * layout.panelBytes
                        let superblock: Int = panel + layout.panelHeaderBytes + column / 128 * type.traits.unitBytes
                        let (r, k) = (row % 16, column % 128)
                        let header = bytes[superblock + k / block * 16 + r]
                        let start = superblock + 128 / block * 16
                        if type == .q8 {
                            codes[Int(bytes[start + k / 4 * 64 + 4 * r + k % 4])] += 1
                            if k % block == 0 { scales[Int(header)] += 1 }
                        } else {
                            let byte = bytes[start + k / 8 * 64 + 4 * r + k % 4]
                            codes[Int(k % 8 < 4 ? byte & 15 : byte >> 4)] += 1
                            if k % block == 0 {
                                scales[Int(header & 63)] += 1
                                grids[Int(header >> 6)] += 1
                            }
                        }
                    }
                }
            }
            return (codes, scales, type == .q8 ? [] : grids)
        }
    }

    private static let shapes: [(StorageType, rows: Int, columns: Int)] = [
        (.q4, 16, 128), (.q4, 33, 300), (.q4, 1, 1), (.q4s, 17, 129), (.q4s, 40, 256), (.q8, 15, 131), (.q8, 64, 257), (.f32, 20, 1), (.f16, 3, 5),
    ]

    @Test func countsAreThoseOfASlowComputation() throws {
        let made = try MadeFile(Self.shapes, seed: 1)
        let counts = try CodeCounting.count(made.tensors, in: made.file)
        #expect(Set(counts.map(\.type)).isSuperset(of: [.q8, .q4, .q4s]) && counts.count == 3)
        for count in counts {
            let slow = made.slowCounts(count.type)
            #expect(count.codes == slow.codes && count.scales == slow.scales && count.grids == slow.grids, "\(count.type)")
            #expect(count.stride == 1 && count.panels == count.panelsInAll)
        }
        let q4: UInt64? = counts.first { $0.type == .q4 }?.codes.reduce(0, +)
        #expect(q4 == 11_949, "16 x 128, 33 x 300 and 1 x 1")
    }

    @Test func largeTypesAreSampledEvenly() throws {
        let made = try MadeFile([(.q4, 16 * 10, 256), (.q4, 16 * 3, 384)], seed: 2)
        let bytes = made.tensors.reduce(0) { $0 + $1.bytes }
        let counts = try CodeCounting.count(made.tensors, in: made.file, mostBytesPerType: bytes / 3)
        let q4 = try #require(counts.first)
        #expect(q4.stride == 4 || q4.stride == 3)
        #expect(q4.panelsInAll == 13 && q4.panels < 7)
        #expect(q4.codes == made.slowCounts(.q4, stride: q4.stride).codes)
    }

    @Test func cutFileIsAnError() throws {
        let made = try MadeFile([(.q4, 64, 256)], seed: 3)
        #expect(truncate(made.folder.path("f"), 5000) == 0)
        #expect(throws: FileError.self) { try CodeCounting.count(made.tensors, in: made.file) }
    }

    struct Width: Sendable {
        var bits: Int
        var planes: [Int]
        var grids: Int
        var scaleBits: Int
        var lowestScale: Int
    }

    private static let widths = [
        Width(bits: 6, planes: [4, 2], grids: 1, scaleBits: 8, lowestScale: 0), Width(bits: 5, planes: [4, 1], grids: 2, scaleBits: 7, lowestScale: -64),
        Width(bits: 3, planes: [2, 1], grids: 8, scaleBits: 5, lowestScale: -16), Width(bits: 4, planes: [4], grids: 4, scaleBits: 6, lowestScale: -32),
        Width(bits: 8, planes: [8], grids: 0, scaleBits: 8, lowestScale: 0),
    ]

    /// The lines of one plane of a unit of columns, `codes` by row and column.
    private func lines(_ codes: [[Int]], start: Int, columns: Int, bits: Int, shift: Int) -> [UInt8] {
        let perLine = 8 / bits
        var bytes: [UInt8] = []
        for line in 0..<(columns / 4 / perLine) {
            for byte in 0..<64 {
                var value = 0
                for place in 0..<perLine {
                    let group: Int = line * perLine + place
                    let column: Int = start + 4 * group + byte % 4
                    let code: Int = codes[byte / 4][column] >> shift
                    let mask: Int = (1 << bits) - 1
                    value |= (code & mask) << (place * bits)
                }
                bytes.append(UInt8(value))
            }
        }
        return bytes
    }

    /// Codes put together plane by plane and read back.
    @Test(arguments: widths)
    func codesOfEveryWidth(width: Width) throws {
        let layout = try #require(CodeLayout(codeBits: width.bits, block: 32, gridCount: width.grids))
        var random = SplitMix64(seed: UInt64(width.bits))
        let limit = UInt64(1) << UInt64(width.bits)
        var codes: [[Int]] = []
        for _ in 0..<16 {
            let row: [Int] = (0..<128).map { _ in Int(random.next() % limit) }
            codes.append(row)
        }
        var superblock = (0..<64).map { _ in random.byte() }
        let unit = width.planes.count == 1 ? 128 : 32
        for start in stride(from: 0, to: 128, by: unit) {
            var shift = 0
            for bits in width.planes {
                superblock += lines(codes, start: start, columns: unit, bits: bits, shift: shift)
                shift += bits
            }
        }
        for (rows, columns) in [(16, 128), (16, 200), (5, 128), (16, 77), (3, 1)] {
            var tally = CodeTally(CodeCounts(type: .q8, layout: layout, stride: 1))
            superblock.withUnsafeBytes { tally.add($0, rows: rows, columns: columns) }
            var expected = [UInt64](repeating: 0, count: 1 << width.bits)
            for row in 0..<rows { for column in 0..<min(columns, 128) { expected[codes[row][column]] += 1 } }
            #expect(tally.counts.codes == expected, "\(rows) x \(columns)")
        }
        #expect(layout.scaleBits == width.scaleBits)
        #expect(layout.scale(at: 0) == width.lowestScale)
    }

    @Test func entropyOfKnownDistributions() {
        #expect(CodeCounts.entropy([5, 5, 5, 5]) == 2)
        #expect(CodeCounts.entropy([9, 0]) == 0)
        #expect(CodeCounts.entropy([]) == 0)
        #expect(abs(CodeCounts.entropy([1, 3]) - 0.811_278) < 1e-6)
    }
}
