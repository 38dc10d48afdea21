import Architectures
package import Kernels
import ModelFiles
package import StrictJSON
package import Tensors

/// The storage type of each tensor, and the options that led to it.
package struct TypeAssignment: Sendable, Equatable {
    /// In the order of the model's tensors.
    package let types: [StorageType]
    /// As they stand in the file.
    package let options: JSONObject
    /// What a mixture was chosen by; nil when none was asked for.
    package let mixture: Mixture?

    package struct Mixture: Sendable, Equatable {
        package let target: PlanTarget
        /// Where the sensitivities come from.
        package let basis: String
        /// Per tensor; 0 for those that were not chosen but given.
        package let sensitivities: [Double]
        /// Sum over the tensors of sensitivity x estimated relative squared error x what feedback leaves of it; comparable between plans of one model and basis only.
        package let loss: Double
        /// The target is more than the most exact types need.
        package let isSaturated: Bool
    }

    /// Types that a mixture is made of.
    package static let mixed: [StorageType] = [.q3, .q4s, .q4, .q5, .q6, .q8]

    /// Norms are always f32. See `TypeChoice` for the defaults of one type for all.
    package init(
        _ request: TypeRequest, model: CheckpointModel, sensitivities: TensorSensitivities? = nil, weighting: ErrorWeighting = ErrorWeighting(),
        kernels: KernelSet, threads: Int
    ) throws {
        for pin in request.pins where !model.tensors.contains(where: { Self.fits(pin, $0) }) {
            throw ConversionError("no matrix of the model has '\(pin.part)' in its name; inspect the checkpoint's folder for the names")
        }
        let tied = model.configuration.tiesEmbeddings
        switch request.matrices {
        case .all(let type):
            let choice = TypeChoice(type, embedding: request.embedding, output: request.output, tied: tied)
            types = model.tensors.map { Self.pinned($0, request) ?? choice.type(for: $0.expected.role) }
            options = Self.options(request, [
                "type": JSONValue(type.name), "embedding_type": JSONValue(choice.embedding.name), "output_type": JSONValue(choice.output.name),
            ])
            mixture = nil
        case .mixed(let target):
            let expected = model.tensors.map(\.expected)
            let sensitivities = sensitivities ?? TensorSensitivities(estimatedFor: expected, tied: tied)
            precondition(sensitivities.values.count == expected.count, "a sensitivity per tensor")
            let given = model.tensors.map { Self.pinned($0, request) ?? Self.given($0.expected.role, request, tied: tied) }
            let free = given.indices.filter { given[$0] == nil }
            let errors = try TypeErrors.sample(model, tensors: free, types: Self.mixed, kernels: kernels, threads: threads).errors
            let feedback = FeedbackGain(weighting)
            let budget = try target.budget(model: model, overhead: ConversionPlan.overhead(model))
            let candidates = model.tensors.indices.map { index -> [MixedPrecision.Candidate] in
                let tensor = model.tensors[index], weight = sensitivities.values[index] * feedback.remaining(tensor.expected.role, tied: tied)
                return (given[index].map { [$0] } ?? Self.mixed).map { type in
                    let bytes = UInt64(Self.byteCount(tensor, type)), aligned = (bytes + TensorRecord.alignment - 1) / TensorRecord.alignment * TensorRecord.alignment
                    return MixedPrecision.Candidate(type: type, bytes: budget.isAligned ? aligned : bytes, loss: weight * (errors[index][type] ?? 0))
                }
            }
            let range = MixedPrecision.range(of: candidates)
            guard let plan = MixedPrecision(candidates, budget: budget.bytes) else {
                throw Self.tooSmall(target, budget: budget.bytes, least: range.lowerBound, parameters: model.parameterCount)
            }
            types = zip(candidates, plan.choices).map { $0[$1].type }
            options = Self.options(request, Self.options(target))
            mixture = Mixture(
                target: target, basis: sensitivities.basis, sensitivities: given.indices.map { given[$0] == nil ? sensitivities.values[$0] : 0 },
                loss: plan.loss, isSaturated: range.upperBound <= budget.bytes)
        }
    }

    /// Nil for a type that has to be chosen.
    private static func given(_ role: TensorRole, _ request: TypeRequest, tied: Bool) -> StorageType? {
        switch role {
        case .tokenEmbedding: request.embedding ?? (tied ? request.output : nil)
        case .outputHead: request.output
        default: role.isNorm ? .f32 : nil
        }
    }

    private static func fits(_ pin: TypeRequest.Pin, _ tensor: CheckpointModel.Tensor) -> Bool {
        !tensor.expected.role.isNorm && tensor.expected.name.contains(pin.part)
    }

    private static func pinned(_ tensor: CheckpointModel.Tensor, _ request: TypeRequest) -> StorageType? {
        request.pins.last { fits($0, tensor) }?.type
    }

    private static func byteCount(_ tensor: CheckpointModel.Tensor, _ type: StorageType) -> Int {
        guard let layout = PanelLayout(type: type, rows: tensor.rows, columns: tensor.columns) else {
            preconditionFailure("tensor '\(tensor.expected.name)' has dimensions outside the limits")
        }
        return layout.byteCount
    }

    private static func tooSmall(_ target: PlanTarget, budget: UInt64, least: UInt64, parameters: Int) -> ConversionError {
        let missing = least - budget
        let least = switch target {
        // Rounded up, so that the number can be given as it is.
        case .bitsPerWeight: "the least is \((Double(least) * 8 / Double(parameters) * 1000).rounded(.up) / 1000) bits per weight"
        case .fileBytes(let bytes): "the least is a file of \(bytes + missing) bytes"
        case .memory(let bytes, let context): "the least is \(bytes + missing) bytes of memory with \(context) tokens of context"
        }
        return ConversionError("the target of \(target.description) cannot be reached with these types: \(least)")
    }

    private static func options(_ target: PlanTarget) -> JSONObject {
        switch target {
        case .bitsPerWeight(let bits): ["type": "mixed", "target_bpw": JSONValue(bits)]
        case .fileBytes(let bytes): ["type": "mixed", "target_size": JSONValue(bytes)]
        case .memory(let bytes, let context): ["type": "mixed", "fit_ram": JSONValue(bytes), "context": JSONValue(context)]
        }
    }

    private static func options(_ request: TypeRequest, _ first: JSONObject) -> JSONObject {
        var options = first
        if case .mixed = request.matrices {
            if let type = request.embedding { options.set("embedding_type", JSONValue(type.name)) }
            if let type = request.output { options.set("output_type", JSONValue(type.name)) }
        }
        for pin in request.pins { options.set("tensor_type \(pin.part)", JSONValue(pin.type.name)) }
        return options
    }
}
