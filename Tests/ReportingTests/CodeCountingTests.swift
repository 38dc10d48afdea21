import ByteStorage
import Foundation
import Glibc
import ModelFiles
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
            var bytes = [UInt8](repeating: 0, count: 4096)
            tensors = shapes.enumerated().map { index, shape in
                let layout = PanelLayout(type: shape.0, rows: shape.rows, columns: shape.columns)!
                let offset = bytes.count
                bytes += (0..<layout.byteCount).map { _ in random.byte() }
                return TensorRecord(
                    name: "t\(index)", type: shape.0, rank: 2, rows: shape.rows, columns: shape.columns, sourceType: .f16, offset: UInt64(offset),
                    bytes: UInt64(layout.byteCount), sha256: Digest32.of([]), errors: ErrorSums(), grids: [])
            }
            self.bytes = bytes
            folder = try TemporaryFolder()
            try Data(bytes).write(to: URL(filePath: folder.path("f")))
            file = try ReadableFile(path: folder.path("f"))
        }

        /// Straight from the sentences of `Formats/StorageTypes.md`, value by value.
        func slowCounts(_ type: StorageType, stride: Int = 1) -> (codes: [UInt64], scales: [UInt64], grids: [UInt64]) {
            var (codes, scales, grids) = ([UInt64](repeating: 0, count: type == .q8 ? 256 : 16), [UInt64](repeating: 0, count: type == .q8 ? 256 : 64), [UInt64](repeating: 0, count: 4))
            let block = type == .q4 ? 16 : 32
            for tensor in tensors where tensor.type == type {
                let layout = tensor.layout
                for row in 0..<tensor.rows where row / 16 % stride == 0 {
                    for column in 0..<tensor.columns {
                        let panel = Int(tensor.offset) + row / 16 * layout.panelBytes
                        let superblock = panel + layout.panelHeaderBytes + column / 128 * type.traits.unitBytes
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
        #expect(counts.first { $0.type == .q4 }?.codes.reduce(0, +) == 16 * 128 + 33 * 300 + 1)
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

    /// Codes of two planes, put together plane by plane and read back.
    @Test(arguments: [(6, [4, 2], 1), (5, [4, 1], 2), (3, [2, 1], 8), (4, [4], 4), (8, [8], 0)])
    func codesOfEveryWidth(bits: Int, planes: [Int], grids: Int) throws {
        let layout = try #require(CodeLayout(codeBits: bits, block: 32, gridCount: grids))
        var random = SplitMix64(seed: UInt64(bits))
        var codes = [[Int]](repeating: [Int](repeating: 0, count: 128), count: 16)
        var superblock = (0..<64).map { _ in random.byte() }
        let unit = planes.count == 1 ? 128 : 32
        for row in 0..<16 { for column in 0..<128 { codes[row][column] = Int(random.next() % UInt64(1 << bits)) } }
        for start in stride(from: 0, to: 128, by: unit) {
            var shift = 0
            for plane in planes {
                let perLine = 8 / plane
                for line in 0..<(unit / 4 / perLine) {
                    for byte in 0..<64 {
                        var value = 0
                        for place in 0..<perLine {
                            let column = start + 4 * (line * perLine + place) + byte % 4
                            value |= (codes[byte / 4][column] >> shift & (1 << plane - 1)) << (place * plane)
                        }
                        superblock.append(UInt8(value))
                    }
                }
                shift += plane
            }
        }
        for (rows, columns) in [(16, 128), (16, 200), (5, 128), (16, 77), (3, 1)] {
            var tally = CodeTally(CodeCounts(type: .q8, layout: layout, stride: 1))
            superblock.withUnsafeBytes { tally.add($0, rows: rows, columns: columns) }
            var expected = [UInt64](repeating: 0, count: 1 << bits)
            for row in 0..<rows { for column in 0..<min(columns, 128) { expected[codes[row][column]] += 1 } }
            #expect(tally.counts.codes == expected, "\(rows) x \(columns)")
        }
        #expect(layout.scaleBits == [6: 8, 5: 7, 3: 5, 4: 6, 8: 8][bits])
        #expect(layout.scale(at: 0) == [6: 0, 5: -64, 3: -16, 4: -32, 8: 0][bits])
    }

    @Test func entropyOfKnownDistributions() {
        #expect(CodeCounts.entropy([5, 5, 5, 5]) == 2)
        #expect(CodeCounts.entropy([9, 0]) == 0)
        #expect(CodeCounts.entropy([]) == 0)
        #expect(abs(CodeCounts.entropy([1, 3]) - 0.811_278) < 1e-6)
    }
}
