import Architectures
import ModelFiles
import StrictJSON

/// Where in the model a tensor works.
struct TensorPlace: Sendable, Equatable {
    var role: TensorRole
    /// Nil outside the layers.
    var layer: Int?

    /// One for each tensor; nil for those that the configuration does not name.
    static func places(of tensors: [TensorRecord], _ configuration: LlamaConfiguration) -> [TensorPlace?] {
        let expected = Dictionary(uniqueKeysWithValues: LlamaTensors.expected(for: configuration).map { (JSONString($0.name), $0) })
        return tensors.map { tensor in
            expected[JSONString(tensor.name)].map { TensorPlace(role: $0.role, layer: $0.layer) }
        }
    }
}

extension TensorRole {
    /// The short name that the field uses.
    var label: String {
        switch self {
        case .tokenEmbedding: "embedding"
        case .attentionNorm: "attention norm"
        case .query: "q"
        case .key: "k"
        case .value: "v"
        case .attentionOutput: "o"
        case .feedForwardNorm: "feed-forward norm"
        case .gate: "gate"
        case .up: "up"
        case .down: "down"
        case .outputNorm: "output norm"
        case .outputHead: "output head"
        }
    }
}
