package import Architectures
import Kernels
package import ModelFiles
import Quantization
import Safetensors
import StrictJSON
package import Tensors
import TokenizerProbes

/// What will be written where. Made before any work, so that sizes are known and tensors can be written in any order.
package struct ConversionPlan: Sendable {
    package let model: CheckpointModel
    package let types: TypeAssignment
    /// In execution order, as the model's tensors.
    package private(set) var planned: [PlannedTensor]
    package private(set) var layout: ModelFilePlan
    package let weighting: ErrorWeighting
    /// Grids other than the default ones, in the order of the tensors.
    private(set) var grids: [GridTables?]

    package init(model: CheckpointModel, types: TypeAssignment, weighting: ErrorWeighting = ErrorWeighting(), output: String) throws(ModelFileError) {
        self.model = model
        self.types = types
        self.weighting = weighting
        planned = zip(model.tensors, types.types).map { tensor, type in
            PlannedTensor(
                name: tensor.expected.name, type: type, rank: tensor.expected.shape.count, rows: tensor.rows, columns: tensor.columns,
                sourceType: tensor.source, grids: PanelEncoder.gridBytes(for: type))
        }
        layout = try ModelFilePlan(planned, path: output)
        grids = planned.map { _ in nil }
    }

    /// The same plan with grids made for its tensors.
    func with(_ fitted: FittedGrids, output: String) throws(ModelFileError) -> ConversionPlan {
        var plan = self
        plan.grids = fitted.tables
        for (index, tables) in fitted.tables.enumerated() where tables != nil { plan.planned[index].grids = tables!.bytes }
        plan.layout = try ModelFilePlan(plan.planned, path: output)
        return plan
    }

    /// Bytes of the tensors, without padding between them.
    package var tensorBytes: UInt64 { layout.tensors.reduce(0) { $0 + $1.bytes } }
    package var bitsPerWeight: Double { Double(tensorBytes) * 8 / Double(model.parameterCount) }

    /// Room for metadata and tokenizer: they are compressed, and compressing never adds more than this.
    package var reserveBytes: UInt64 { Self.reserveBytes(model) }

    private static func reserveBytes(_ model: CheckpointModel) -> UInt64 {
        let texts = model.configText.utf8.count + (model.generationConfigText?.utf8.count ?? 0) + 256 * model.checkpoint.shards.count
            + model.tensors.reduce(0) { $0 + $1.expected.name.utf8.count + 32 }  // the plan's sensitivities
        let probes = model.tokenizerProbes.reduce(0) { $0 + 6 * ($1.text.utf8.count + $1.decoded.utf8.count) + 12 * $1.ids.count + 64 }
        let content = probes + (model.tokenizer?.encoded().count ?? 0) + 2 * texts
        return UInt64(content + content / 128 + 65536)
    }

    /// What a file has at most besides its tensors.
    static func overhead(_ model: CheckpointModel) -> UInt64 {
        let names = model.tensors.reduce(0) { $0 + $1.expected.name.utf8.count }
        return UInt64(ModelFileHeader.byteCount) + ModelFilePlan.directoryBytes(tensors: model.tensors.count, nameBytes: names)
            + 4 * ModelFileHeader.sectionAlignment + reserveBytes(model)
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

    /// What each kind of matrix got, in execution order of the first of its kind.
    package struct Kind: Sendable {
        package var role: TensorRole
        /// Mean over the tensors.
        package var sensitivity: Double
        package var weights: Int
        package var bytes: UInt64
        package var types: [(type: StorageType, tensors: Int)]
    }

    package var byRole: [Kind] {
        TensorRole.allCases.compactMap { role in
            let indices = model.tensors.indices.filter { model.tensors[$0].expected.role == role }
            guard !role.isNorm, !indices.isEmpty else { return nil }
            let types = StorageType.allCases.map { type in (type: type, tensors: indices.count { self.types.types[$0] == type }) }
            return Kind(
                role: role, sensitivity: indices.reduce(0) { $0 + (self.types.mixture?.sensitivities[$1] ?? 0) } / Double(indices.count),
                weights: indices.reduce(0) { $0 + model.tensors[$1].rows * model.tensors[$1].columns },
                bytes: indices.reduce(0) { $0 + layout.tensors[$1].bytes },
                types: types.filter { $0.tensors > 0 }.sorted { $0.type.traits.unitBytes < $1.type.traits.unitBytes })
        }
    }

    /// Every option that decides over the bytes.
    var options: JSONObject {
        var options = types.options
        if weighting.option != "none" { options.set("error_weighting", JSONValue(weighting.option)) }
        if weighting.fitsGrids { options.set("grids", "fitted") }
        if let format = model.chatFormat {
            options.set("chat_format", JSONValue(format.name))
            if format.isAsked { options.set("chat_format_basis", "asked") }
        }
        return options
    }

    /// The file's `plan`; nil without a mixture.
    var planMetadata: JSONObject? {
        types.mixture.map { mixture in
            var sensitivities = JSONObject()
            for (tensor, value) in zip(model.tensors, mixture.sensitivities) where value > 0 { sensitivities.set(tensor.expected.name, JSONValue(value)) }
            return [
                "target": JSONValue(mixture.target.description), "basis": JSONValue(mixture.basis), "loss": JSONValue(mixture.loss),
                "sensitivities": JSONValue(sensitivities),
            ]
        }
    }
}
