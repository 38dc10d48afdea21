package import Architectures
import ByteStorage
package import Kernels
package import ModelFiles
import Tensors

/// A `.quern` file: panels are decoded to f32, or multiplied as they are with int8 activations.
package final class ModelFileSource: LayerwiseModel {
    package let configuration: LlamaConfiguration
    package let embedding: any PanelSource
    package let outputNorm: [Float]
    package let outputHead: any PanelSource
    package var path: String { reader.path }

    private let reader: ModelFileReader
    private let records: [[TensorRole: TensorRecord]]
    private let layers: [LayerWeights]
    private let dropsCache: Bool

    /// - Parameter dropsCache: whether layers that are done leave the page cache, for a file that is large beside it.
    package init(reader: ModelFileReader, kernels: KernelSet, dropsCache: Bool) throws {
        let configuration = try LlamaConfiguration(json: Array(reader.metadata.config.utf8))
        let found = reader.tensors.map {
            FoundTensor(name: $0.name, shape: $0.rank == 1 ? [$0.rows] : [$0.rows, $0.columns], dtypeName: $0.sourceType.name)
        }
        let check = LlamaTensors.check(configuration, found: found)
        var faults = check.faults
        var vectors: [String: [Float]] = [:]
        for match in check.matches where match.expected.role.isNorm {
            let record = reader.tensors[match.foundIndex]
            guard record.type == .f32 else {
                faults.append("norm '\(record.name)' is stored as \(record.type), expected f32")
                continue
            }
            let values = Array(reader.bytes(of: record).bindMemory(to: Float.self).prefix(record.rows))
            if let bad = values.firstIndex(where: { !$0.isFinite }) { faults.append("norm '\(record.name)': value \(bad) is \(values[bad]), expected a finite number") }
            vectors[record.name] = values
        }
        guard faults.isEmpty else { throw LayerwiseError(path: reader.path, faults: faults + ["convert the checkpoint again"]) }
        var records = [[TensorRole: TensorRecord]](repeating: [:], count: configuration.layers + 1)
        for match in check.matches { records[match.expected.layer ?? configuration.layers][match.expected.role] = reader.tensors[match.foundIndex] }

        func matrix(_ record: TensorRecord?) -> any PanelSource { StoredPanels(reader: reader, record: record!, kernels: kernels) }
        func vector(_ record: TensorRecord?) -> [Float] { vectors[record!.name]! }
        layers = records.dropLast().map {
            LayerWeights(
                attentionNorm: vector($0[.attentionNorm]), feedForwardNorm: vector($0[.feedForwardNorm]), query: matrix($0[.query]), key: matrix($0[.key]),
                value: matrix($0[.value]), output: matrix($0[.attentionOutput]), gate: matrix($0[.gate]), up: matrix($0[.up]), down: matrix($0[.down]))
        }
        let outer = records[configuration.layers]
        embedding = matrix(outer[.tokenEmbedding])
        outputNorm = vector(outer[.outputNorm])
        outputHead = matrix(outer[.outputHead] ?? outer[.tokenEmbedding])
        // Rows of the embedding are wanted at the beginning only.
        records[configuration.layers][.tokenEmbedding] = configuration.tiesEmbeddings ? outer[.tokenEmbedding] : nil
        self.records = records
        self.reader = reader
        self.configuration = configuration
        self.dropsCache = dropsCache
    }

    /// The header holds the digests of everything else.
    package var identity: Digest32 {
        withExtendedLifetime(reader) { Digest32.of(UnsafeRawBufferPointer(rebasing: reader.mapping.bytes.prefix(ModelFileHeader.byteCount))) }
    }

    package func layer(_ index: Int) -> LayerWeights { layers[index] }

    package func willNeed(layer: Int) { for range in ranges(layer) { reader.mapping.willNeed(range) } }

    package func finished(layer: Int) {
        // Without the release, the process would be shown as large as the file, also where its pages are in nobody's way.
        for range in ranges(layer) { dropsCache ? reader.drop(range) : reader.mapping.release(range) }
    }

    private func ranges(_ layer: Int) -> [Range<Int>] { records[layer].values.map { Int($0.offset)..<Int($0.end) } }
}

/// A stored matrix. The mapping lives as long as this does.
package final class StoredPanels: PanelSource {
    package let rows, columns: Int
    package let quantized: MatrixView?
    private let matrix: StoredMatrix
    private let grids: [UInt8]
    private let owner: any Sendable

    convenience init(reader: ModelFileReader, record: TensorRecord, kernels: KernelSet) {
        self.init(
            matrix: StoredMatrix(layout: record.layout, bytes: reader.bytes(of: record), grids: record.grids), grids: record.grids, kernels: kernels,
            owner: reader)
    }

    /// - Parameter owner: keeps the matrix's bytes alive.
    package init(matrix: StoredMatrix, grids: [UInt8], kernels: KernelSet, owner: any Sendable) {
        (rows, columns) = (matrix.layout.rows, matrix.layout.columns)
        self.matrix = matrix
        self.grids = grids.isEmpty ? [UInt8](repeating: 0, count: 64) : grids
        self.owner = owner
        quantized = matrix.layout.type.isQuantized ? MatrixView(matrix, kernels: kernels) : nil
    }

    package func expand(panel: Int, with kernels: KernelSet, scratch: UnsafeMutableRawPointer, into out: UnsafeMutablePointer<Float>) {
        precondition(panel >= 0 && panel < panels, "panel \(panel) of \(panels)")
        grids.withUnsafeBufferPointer {
            kernels.decode(matrix.bytes + panel * matrix.layout.panelBytes, layout: matrix.layout, grids: $0.baseAddress!, into: out)
        }
    }

    package func row(_ row: Int, with kernels: KernelSet, scratch: UnsafeMutableRawPointer, into out: UnsafeMutablePointer<Float>) {
        kernels.row(row, of: matrix, into: out)
    }
}
