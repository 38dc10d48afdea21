import Foundation
import Kernels
import ModelFiles
import Quantization
import RandomNumbers
import StrictJSON
import Tensors
import TestSupport
import Testing

/// `Tests/Fixtures/golden-types`: committed bytes of every storage type, and digests of what the independent reader decodes them to. A change of
/// layout, encoder or decoder that the other tests take for consistent shows here. `Tools/make_type_golden.py` makes them and tells the recipe.
@Suite struct GoldenTypesTests {
    private struct Golden {
        let rows: Int, columns: Int
        let source: [Float]
        private let folder = repositoryRoot.appendingPathComponent("Tests/Fixtures/golden-types")
        private let types: JSONValue

        init() throws {
            let file = try JSONReader.read(Array(Data(contentsOf: folder.appendingPathComponent("golden.json"))))
            let rows = try #require(file["rows"]?.int), columns = try #require(file["columns"]?.int)
            (self.rows, self.columns) = (rows, columns)
            types = try #require(file["types"])
            var random = SplitMix64(seed: UInt64(try #require(file["seed"]?.int)))
            var values = random.signedBytes(rows * columns).enumerated().map { index, byte in
                let b = Float(byte)
                return b * b * b * Float(sign: .plus, exponent: -(20 + 2 * (index / columns % 5)), significand: 1)
            }
            for column in 0..<columns { values[7 * columns + column] = 0 }
            values[3 * columns + 130] = 64
            source = values
        }

        func bytes(of type: StorageType) throws -> [UInt8] { Array(try Data(contentsOf: folder.appendingPathComponent(type.name + ".bin"))) }
        func digest(of type: StorageType) throws -> String { try #require(types[type.name]?["sha256"]?.string) }
        func grids(of type: StorageType) throws -> [UInt8] {
            guard let text = types[type.name]?["grids"]?.string else { return [] }
            return stride(from: 0, to: 128, by: 2).compactMap { UInt8(text.dropFirst($0).prefix(2), radix: 16) }
        }
        var names: Set<String> { Set(types.object?.keys.map(\.string) ?? []) }
    }

    @Test func everyTypeIsThere() throws { #expect(try Golden().names == Set(StorageType.allCases.map(\.name))) }

    @Test(arguments: StorageType.allCases)
    func decodesToWhatTheIndependentReaderReads(type: StorageType) throws {
        let golden = try Golden()
        let layout = try #require(PanelLayout(type: type, rows: golden.rows, columns: golden.columns))
        let stored = GuardedMemory(try golden.bytes(of: type))
        #expect(stored.bytes.count == layout.byteCount)
        let matrix = StoredMatrix(layout: layout, bytes: stored.raw, grids: try golden.grids(of: type))
        for kernels in KernelSet.available {
            let row = GuardedMemory(count: 4 * golden.columns)
            var digest = StreamingDigest()
            for index in 0..<golden.rows {
                kernels.row(index, of: matrix, into: row.floats)
                digest.update(row.raw)
            }
            #expect("\(digest.finalize())" == (try golden.digest(of: type)), "\(kernels.name)")
        }
    }

    @Test(arguments: StorageType.allCases)
    func encodesToTheSameBytes(type: StorageType) throws {
        let golden = try Golden()
        #expect(try golden.grids(of: type) == PanelEncoder.gridBytes(for: type))
        for kernels in KernelSet.available {
            let encoded = try Encoded(golden.source, as: type, rows: golden.rows, columns: golden.columns, with: kernels)
            #expect(encoded.memory.array(of: UInt8.self) == (try golden.bytes(of: type)), "\(kernels.name)")
        }
    }
}
