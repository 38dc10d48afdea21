/// A vector that linear layers of a model read. Those that read the same one are quantized against the same activations.
///
/// The raw values are those of `Formats/CalibrationFile.md`, section 1.
package enum LinearInput: UInt32, CaseIterable, Sendable, CustomStringConvertible {
    /// The normalized residual before the attention.
    case queryKeyValue = 1
    /// What the attention heads give.
    case attentionOutput = 2
    /// The normalized residual before the feed-forward part.
    case gateUp = 3
    /// silu(gate) x up.
    case down = 4
    /// The normalized residual behind the last layer.
    case outputHead = 5

    /// The input of a matrix with this role; nil for norms and an embedding that is not the output head, too, which multiply nothing.
    package init?(role: TensorRole, tied: Bool = false) {
        switch role {
        case .query, .key, .value: self = .queryKeyValue
        case .attentionOutput: self = .attentionOutput
        case .gate, .up: self = .gateUp
        case .down: self = .down
        case .outputHead: self = .outputHead
        case .tokenEmbedding where tied: self = .outputHead
        case .tokenEmbedding, .attentionNorm, .feedForwardNorm, .outputNorm: return nil
        }
    }

    /// As documents and options name it.
    package var description: String {
        switch self {
        case .queryKeyValue: "query_key_value"
        case .attentionOutput: "attention_output"
        case .gateUp: "gate_up"
        case .down: "down"
        case .outputHead: "output_head"
        }
    }

    /// The inputs of one layer, in the order of execution.
    package static let ofLayer: [LinearInput] = [.queryKeyValue, .attentionOutput, .gateUp, .down]

    /// Length of the vector.
    package func columns(_ configuration: LlamaConfiguration) -> Int {
        switch self {
        case .queryKeyValue, .gateUp, .outputHead: configuration.hiddenSize
        case .attentionOutput: configuration.queryRows
        case .down: configuration.intermediateSize
        }
    }
}
