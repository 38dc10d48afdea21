import Architectures
import Kernels
import ModelFiles
import Tensors

/// The numbers of the model that the forward pass needs, by their short names.
package struct LlamaShape: Sendable, Equatable {
    package var hidden: Int
    package var inner: Int
    package var layers: Int
    package var heads: Int
    package var keyValueHeads: Int
    package var headSize: Int
    package var vocabulary: Int
    package var epsilon: Float
}

/// A layer's tensors for the compute threads: the matrices of a `LlamaWeights.Layer`, which must outlive it.
struct LlamaLayerView {
    let attentionNorm, feedForwardNorm: UnsafePointer<Float>
    let query, key, value, output, gate, up, down: MatrixView

    init(_ layer: LlamaWeights.Layer, kernels: KernelSet) {
        attentionNorm = layer.attentionNorm
        feedForwardNorm = layer.feedForwardNorm
        query = MatrixView(layer.query, kernels: kernels)
        key = MatrixView(layer.key, kernels: kernels)
        value = MatrixView(layer.value, kernels: kernels)
        output = MatrixView(layer.output, kernels: kernels)
        gate = MatrixView(layer.gate, kernels: kernels)
        up = MatrixView(layer.up, kernels: kernels)
        down = MatrixView(layer.down, kernels: kernels)
    }
}

/// Every tensor of the model, bound to the mapped file. Nothing is copied but grids.
final class LlamaWeights: @unchecked Sendable {  // Safe: nothing changes after init.
    struct Layer {
        var attentionNorm: UnsafePointer<Float>
        var query, key, value, output: StoredMatrix
        var feedForwardNorm: UnsafePointer<Float>
        var gate, up, down: StoredMatrix
    }

    let embedding: StoredMatrix
    let layers: [Layer]
    let outputNorm: UnsafePointer<Float>
    let outputHead: StoredMatrix
    /// Whether any matrix reads float activations.
    let needsFloatActivations: Bool
    /// Bytes of the file that each layer occupies, for reading ahead.
    let layerRanges: [Range<Int>]

    init(reader: ModelFileReader, configuration: LlamaConfiguration) throws(InferenceError) {
        let found = reader.tensors.map {
            FoundTensor(name: $0.name, shape: $0.rank == 1 ? [$0.rows] : [$0.rows, $0.columns], dtypeName: $0.sourceType.name)
        }
        let check = LlamaTensors.check(configuration, found: found)
        var faults = check.faults
        for match in check.matches where match.expected.role.isNorm && reader.tensors[match.foundIndex].type != .f32 {
            faults.append("norm '\(match.expected.name)' is stored as \(reader.tensors[match.foundIndex].type), expected f32")
        }
        for match in check.matches where match.expected.role.isNorm && reader.tensors[match.foundIndex].type == .f32 {
            let record = reader.tensors[match.foundIndex]
            let values = reader.bytes(of: record).bindMemory(to: Float.self)
            if let bad = (0..<record.rows).first(where: { !values[$0].isFinite }) {
                faults.append("norm '\(match.expected.name)': value \(bad) is \(values[bad]), expected a finite number")
            }
        }
        guard faults.isEmpty else { throw .unsuitable(path: reader.path, faults: faults) }

        func matrix(_ record: TensorRecord) -> StoredMatrix {
            StoredMatrix(layout: record.layout, bytes: reader.bytes(of: record), grids: record.grids)
        }
        func vector(_ record: TensorRecord) -> UnsafePointer<Float> {
            reader.bytes(of: record).baseAddress!.assumingMemoryBound(to: Float.self)
        }
        func records(layer: Int?) -> [TensorRole: TensorRecord] {
            let own = check.matches.filter { $0.expected.layer == layer }
            return Dictionary(uniqueKeysWithValues: own.map { ($0.expected.role, reader.tensors[$0.foundIndex]) })
        }
        var layers: [Layer] = []
        var ranges: [Range<Int>] = []
        for index in 0..<configuration.layers {
            let records = records(layer: index)
            layers.append(Layer(
                attentionNorm: vector(records[.attentionNorm]!), query: matrix(records[.query]!), key: matrix(records[.key]!),
                value: matrix(records[.value]!), output: matrix(records[.attentionOutput]!), feedForwardNorm: vector(records[.feedForwardNorm]!),
                gate: matrix(records[.gate]!), up: matrix(records[.up]!), down: matrix(records[.down]!)))
            let starts = records.values.map { Int($0.offset) }, ends = records.values.map { Int($0.offset + $0.bytes) }
            ranges.append(starts.min()!..<ends.max()!)
        }
        self.layers = layers
        layerRanges = ranges
        let outer = records(layer: nil)
        embedding = matrix(outer[.tokenEmbedding]!)
        outputNorm = vector(outer[.outputNorm]!)
        outputHead = outer[.outputHead].map(matrix) ?? embedding
        needsFloatActivations = check.matches.contains { !$0.expected.role.isNorm && !reader.tensors[$0.foundIndex].type.isQuantized }
    }
}
