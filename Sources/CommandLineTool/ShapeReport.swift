import Architectures
import StrictJSON

/// The numbers of a model, as `inspect` shows them for files and for checkpoints.
struct ShapeReport {
    let configuration: LlamaConfiguration

    var text: String {
        let c = configuration
        return """
              shape        \(c.layers) layers, hidden \(c.hiddenSize), intermediate \(c.intermediateSize), \(c.heads) heads of \(c.headDimension), \
            \(c.keyValueHeads) for keys and values
              vocabulary   \(c.vocabulary)\(c.tiesEmbeddings ? ", output head tied to the embedding" : "")
              context      \(c.contextLength)\(c.baseContext.map { " (its base was trained on \($0))" } ?? ""), rope theta \(theta), rope scaling \(c.ropeScaling == .none ? "none" : c.ropeScaling.name)
            """
    }

    private var theta: String {
        let theta = configuration.ropeTheta
        return theta == theta.rounded() ? Quantities.fixed(theta, 0) : Quantities.short(theta)
    }

    var json: JSONValue {
        let c = configuration
        return [
            "layers": JSONValue(c.layers), "hidden_size": JSONValue(c.hiddenSize), "intermediate_size": JSONValue(c.intermediateSize),
            "heads": JSONValue(c.heads), "key_value_heads": JSONValue(c.keyValueHeads), "head_dimension": JSONValue(c.headDimension),
            "vocabulary": JSONValue(c.vocabulary), "context_length": JSONValue(c.contextLength), "tied_embeddings": JSONValue(c.tiesEmbeddings),
            "rope_theta": JSONValue(c.ropeTheta), "rope_scaling": JSONValue(c.ropeScaling.name), "norm_epsilon": JSONValue(c.normEpsilon),
        ]
    }
}
