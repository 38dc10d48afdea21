import Architectures
package import ModelFiles
import Quantization
import Safetensors
import StrictJSON
package import Tensors

/// What will be written where. Made before any work, so that sizes are known and tensors can be written in any order.
package struct ConversionPlan: Sendable {
    package let model: CheckpointModel
    package let types: TypeChoice
    /// In execution order, as the model's tensors.
    package let planned: [PlannedTensor]
    package let layout: ModelFilePlan
    package let weighting: ErrorWeighting

    package init(model: CheckpointModel, types: TypeChoice, weighting: ErrorWeighting = ErrorWeighting(), output: String) throws(ModelFileError) {
        self.model = model
        self.types = types
        self.weighting = weighting
        planned = model.tensors.map { tensor in
            let type = types.type(for: tensor.expected.role)
            return PlannedTensor(
                name: tensor.expected.name, type: type, rank: tensor.expected.shape.count, rows: tensor.rows, columns: tensor.columns,
                sourceType: tensor.source, grids: PanelEncoder.gridBytes(for: type))
        }
        layout = try ModelFilePlan(planned, path: output)
    }

    /// Bytes of the tensors, without padding between them.
    package var tensorBytes: UInt64 { layout.tensors.reduce(0) { $0 + $1.bytes } }
    package var bitsPerWeight: Double { Double(tensorBytes) * 8 / Double(model.parameterCount) }

    /// Room for metadata and tokenizer: they are compressed, and compressing never adds more than this.
    package var reserveBytes: UInt64 {
        let texts = model.configText.utf8.count + (model.generationConfigText?.utf8.count ?? 0) + 256 * model.checkpoint.shards.count
        let content = (model.tokenizer?.encoded().count ?? 0) + 2 * texts
        return UInt64(content + content / 128 + 65536)
    }

    /// The file's size is at most this; metadata and tokenizer are counted before compression.
    package var largestFileBytes: UInt64 { layout.dataEnd + layout.directoryBytes + reserveBytes }

    /// Tensors, weights and bytes of each storage type that occurs.
    package var byType: [(type: StorageType, tensors: Int, weights: Int, bytes: UInt64)] {
        StorageType.allCases.compactMap { type in
            let tensors = layout.tensors.filter { $0.type == type }
            return tensors.isEmpty
                ? nil
                : (type, tensors.count, tensors.reduce(0) { $0 + $1.rows * $1.columns }, tensors.reduce(0) { $0 + $1.bytes })
        }
    }

    /// Every option that decides over the bytes.
    var options: JSONObject {
        var options: JSONObject = [
            "type": JSONValue(types.matrices.name), "embedding_type": JSONValue(types.embedding.name), "output_type": JSONValue(types.output.name),
        ]
        if weighting.option != "none" { options.set("error_weighting", JSONValue(weighting.option)) }
        return options
    }
}
