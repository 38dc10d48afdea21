import Foundation
import Kernels
import Quantization
import RandomNumbers
import Tensors
import TestSupport
import Testing

/// Formats/StorageTypes.md is the authority; its tables and the code must say the same.
@Suite struct DocumentTests {
    /// Cells of the table rows below a line that starts with `heading`, up to the first line that is not a table row.
    private func table(_ heading: String) throws -> [[String]] {
        let text = try String(contentsOf: repositoryRoot.appendingPathComponent("Formats/StorageTypes.md"), encoding: .utf8)
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        let start = try #require(lines.firstIndex { $0.hasPrefix(heading) })
        return lines[(start + 2)...].prefix { $0.hasPrefix("|") }.map { line in
            line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
        }
    }

    @Test func typesAreThoseOfTheDocument() throws {
        let rows = try table("| id | name |")
        #expect(rows.count == StorageType.allCases.count)
        for row in rows {
            let id = try #require(UInt16(row[0])), bits = try #require(Double(row[2]))
            let type = try #require(StorageType(rawValue: id), "id \(id)")
            #expect(type.name == row[1])
            #expect(StorageType(name: row[1]) == type)
            let layout = PanelLayout(type: type, rows: 4096, columns: 4096)!
            #expect(abs(layout.bitsPerWeight - bits) <= 0.005, "\(type): \(layout.bitsPerWeight) bits")
            #expect(type.traits.block == (row[3] == "-" ? 0 : Int(row[3])), "\(type)")
            #expect(type.isQuantized == (row[3] != "-"), "\(type)")
            #expect(type.traits.usesGrids == (row[5] == "yes"), "\(type)")
        }
    }

    @Test func superblocksAreThoseOfTheDocument() throws {
        let rows = try table("| | header bytes |")
        #expect(rows.map { $0[0] } == StorageType.allCases.filter(\.isQuantized).map(\.name))
        for row in rows {
            let traits = try #require(StorageType(name: row[0])).traits
            let numbers = row[1...].compactMap { Int($0) }
            #expect(numbers == [128 / traits.block * 16, 16 * traits.codeBits * 16, traits.unitBytes])
            #expect(numbers[0] + numbers[1] == numbers[2] && traits.columnMultiple == 128)
        }
    }

    /// Section 2's formulas, written again.
    @Test(arguments: StorageType.allCases)
    func sizes(type: StorageType) {
        for columns in [1, 127, 128, 129, 256, 257, 513, 4096, 11008, 1 << 20] {
            for rows in [1, 16, 17, 4096] {
                let panel: Int
                switch type {
                case .f32: panel = 64 * columns
                case .f16: panel = 32 * columns
                default:
                    let superblocks = (columns + 127) / 128, windows = (superblocks + 1) / 2
                    panel = 64 + (windows == 1 ? 0 : (windows * 16 + 63) / 64 * 64) + superblocks * type.traits.unitBytes
                }
                let layout = PanelLayout(type: type, rows: rows, columns: columns)
                #expect(layout?.panelBytes == panel && layout?.byteCount == (rows + 15) / 16 * panel, "\(rows) x \(columns)")
            }
        }
        #expect(PanelLayout(type: type, rows: 0, columns: 1) == nil && PanelLayout(type: type, rows: 1, columns: 0) == nil)
        #expect(PanelLayout(type: type, rows: 1 << 31, columns: 1) != nil && PanelLayout(type: type, rows: 1 << 31 + 1, columns: 1) == nil)
        #expect(PanelLayout(type: type, rows: 1 << 20, columns: 1 << 20) != nil && PanelLayout(type: type, rows: 1 << 21, columns: 1 << 20) == nil)
        #expect(PanelLayout(type: type, rows: .max, columns: .max) == nil && PanelLayout(type: type, rows: -1, columns: -1) == nil)
    }

    @Test func defaultGridsAreAscendingAndWithinBounds() {
        for type in StorageType.allCases where type.traits.usesGrids {
            let grids = PanelEncoder.gridBytes(for: type)
            #expect(grids.count == 64 && grids.allSatisfy(type.traits.gridBytes.contains))
            let codes = 64 / type.traits.grids
            for grid in stride(from: 0, to: 64, by: codes) { #expect(zip(grids[grid..<grid + codes - 1], grids[grid + 1..<grid + codes]).allSatisfy(<), "\(type)") }
        }
        #expect(PanelEncoder.gridBytes(for: .q8).isEmpty)
    }
}

/// The program and a reader written from the documents alone decode the same bits.
@Suite(.enabled(if: ReferenceReader.isAvailable, "python3 with numpy is missing: nothing compares the program with the documents' reader"))
struct ReferenceReaderTests {
    @Test(arguments: StorageType.allCases)
    func decodesTheSameBits(type: StorageType) throws {
        let folder = try TemporaryFolder()
        var random = SplitMix64(seed: 16)
        for (rows, columns) in [(1, 1), (15, 31), (17, 129), (33, 257), (16, 384), (40, 1023), (3, 4096)] {
            let note = "\(type) \(rows) x \(columns)"
            let encoded = try Encoded(random.gaussians(rows * columns), as: type, rows: rows, columns: columns)
            let layout = encoded.layout, last = (layout.panels - 1) * layout.panelBytes
            if type.isQuantized, layout.panels > 1 {
                // Beyond what the encoder writes: every code, header and factor in the last panel, scales of both signs.
                for index in last + 64..<layout.byteCount { encoded.memory.bytes[index] = random.byte() }
                for row in 0..<16 { encoded.memory.bytes.storeBytes(of: Float(random.gaussian()), toByteOffset: last + 4 * row, as: Float.self) }
            }
            let (stored, out) = (folder.path("stored"), folder.path("decoded"))
            try Data(encoded.memory.raw).write(to: URL(fileURLWithPath: stored))
            var arguments = ["decode-raw", "--type", type.name, "--rows", "\(rows)", "--columns", "\(columns)", "-o", out, stored]
            let grids = PanelEncoder.gridBytes(for: type)
            if !grids.isEmpty { arguments += ["--grids", grids.map { String(format: "%02x", $0) }.joined()] }
            let result = try ReferenceReader.run(arguments)
            try #require(result.status == 0, "\(note): \(result.errors)")
            let read = GuardedMemory([UInt8](try Data(contentsOf: URL(fileURLWithPath: out)))).array(of: Float.self)
            for kernels in KernelSet.available {
                #expect(firstDifference(read, encoded.decoded(with: kernels)) == nil, "\(kernels.name) \(note)")
            }
        }
    }

    @Test func refusesWrongSizesAndGrids() throws {
        let folder = try TemporaryFolder()
        try Data(count: 100).write(to: URL(fileURLWithPath: folder.path("short")))
        let short = try ReferenceReader.run(["decode-raw", "--type", "q8", "--rows", "1", "--columns", "1", folder.path("short")])
        #expect(short.status == 1 && short.errors.contains("2176"), "\(short.errors)")
        try Data(count: 1216).write(to: URL(fileURLWithPath: folder.path("q4")))
        let noGrids = try ReferenceReader.run(["decode-raw", "--type", "q4", "--rows", "1", "--columns", "1", folder.path("q4")])
        #expect(noGrids.status == 1 && noGrids.errors.contains("--grids"), "\(noGrids.errors)")
    }
}
