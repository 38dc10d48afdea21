import StrictJSON
import Tensors

/// The table of a LLaMA checkpoint's tensors, and the comparison of a checkpoint with it.
package enum LlamaTensors {
    private enum Size { case hidden, queries, keyValues, intermediate, vocabulary }
    private typealias Row = (name: String, role: TensorRole, shape: [Size])

    private static let beforeLayers: [Row] = [("model.embed_tokens.weight", .tokenEmbedding, [.vocabulary, .hidden])]
    /// Names behind "model.layers.N.".
    private static let inLayer: [Row] = [
        ("input_layernorm.weight", .attentionNorm, [.hidden]),
        ("self_attn.q_proj.weight", .query, [.queries, .hidden]),
        ("self_attn.k_proj.weight", .key, [.keyValues, .hidden]),
        ("self_attn.v_proj.weight", .value, [.keyValues, .hidden]),
        ("self_attn.o_proj.weight", .attentionOutput, [.hidden, .queries]),
        ("post_attention_layernorm.weight", .feedForwardNorm, [.hidden]),
        ("mlp.gate_proj.weight", .gate, [.intermediate, .hidden]),
        ("mlp.up_proj.weight", .up, [.intermediate, .hidden]),
        ("mlp.down_proj.weight", .down, [.hidden, .intermediate]),
    ]
    private static let afterLayers: [Row] = [("model.norm.weight", .outputNorm, [.hidden]), (headName, .outputHead, [.vocabulary, .hidden])]
    static let headName = "lm_head.weight"

    /// Every tensor of the model in the order in which a token meets them. A tied model has no output head of its own.
    package static func expected(for configuration: LlamaConfiguration) -> [ExpectedTensor] {
        func tensor(_ row: Row, _ layer: Int?) -> ExpectedTensor {
            let shape = row.shape.map { size in
                switch size {
                case .hidden: configuration.hiddenSize
                case .queries: configuration.queryRows
                case .keyValues: configuration.keyValueRows
                case .intermediate: configuration.intermediateSize
                case .vocabulary: configuration.vocabulary
                }
            }
            return ExpectedTensor(name: (layer.map { "model.layers.\($0)." } ?? "") + row.name, role: row.role, layer: layer, shape: shape)
        }
        let after = configuration.tiesEmbeddings ? Array(afterLayers.dropLast()) : afterLayers
        return beforeLayers.map { tensor($0, nil) }
            + (0..<configuration.layers).flatMap { layer in inLayer.map { tensor($0, layer) } } + after.map { tensor($0, nil) }
    }

    /// The result of comparing a checkpoint with the table.
    package struct Check: Sendable {
        package struct Match: Sendable {
            package let expected: ExpectedTensor
            /// Position in the list that was checked.
            package let foundIndex: Int
        }
        /// In execution order; complete when there are no faults.
        package var matches: [Match] = []
        /// One line each, at most `LlamaTensors.shownPerKind` of each kind.
        package var faults: [String] = []
        /// What was left out on purpose.
        package var notes: [String] = []

        /// The matches, or all faults as one error.
        package func validated() throws(ArchitectureError) -> [Match] {
            if !faults.isEmpty { throw ArchitectureError(subject: "tensors", faults: faults) }
            return matches
        }
    }

    package static let shownPerKind = 20

    /// Compares names (as bytes), shapes and types; lists every difference.
    package static func check(_ configuration: LlamaConfiguration, found: [FoundTensor]) -> Check {
        let types = SourceType.allCases.map(\.name).joined(separator: ", ")
        var check = Check()
        var repeated: [String] = []
        var positions: [JSONString: Int] = [:]
        for (position, tensor) in found.enumerated() {
            let name = JSONString(tensor.name)
            if positions.updateValue(position, forKey: name) != nil { repeated.append("tensor \(name.quoted): appears more than once") }
        }

        var missing: [String] = []
        var misshapen: [String] = []
        var mistyped: [String] = []
        for expected in expected(for: configuration) {
            guard let position = positions.removeValue(forKey: JSONString(expected.name)) else {
                missing.append("tensor '\(expected.name)': missing, expected with shape \(expected.shape)")
                continue
            }
            let tensor = found[position]
            if tensor.shape != expected.shape {
                misshapen.append("tensor '\(expected.name)': the config asks for shape \(expected.shape), found \(tensor.shape)")
            }
            if SourceType(name: tensor.dtypeName) == nil {
                mistyped.append("tensor '\(expected.name)': type must be one of \(types), found \(JSONString.quoted(tensor.dtypeName))"
                    + (QuantizedTensors.types.contains(tensor.dtypeName) ? ": \(LlamaConfiguration.alreadyQuantized)" : ""))
            }
            check.matches.append(Check.Match(expected: expected, foundIndex: position))
        }

        let leftOver = found.indices.filter { positions[JSONString(found[$0].name)] == $0 }.map { JSONString(found[$0].name) }
        if let fault = QuantizedTensors.fault(leftOver) {
            // Everything else follows from that.
            check.faults = [fault]
            return check
        }
        let extra = sort(leftOver, configuration, &check.notes)
        for (kind, lines) in [("missing", missing), ("misshapen", misshapen), ("of another type", mistyped), ("repeated", repeated)] {
            check.faults += capped(lines, kind)
        }
        check.faults += capped(extra.biases, "with biases") + capped(extra.unknown, "unknown")
        return check
    }

    /// Sorts names that the table does not have into harmless ones, for which a note is made, and faults.
    private static func sort(
        _ names: [JSONString], _ configuration: LlamaConfiguration, _ notes: inout [String]
    ) -> (biases: [String], unknown: [String]) {
        var buffers = 0
        var biases: [String] = []
        var unknown: [String] = []
        for name in names {
            // Constants that old exports carry: rotary frequencies follow from the config, the others are masks.
            if [".self_attn.rotary_emb.inv_freq", ".attention.bias", ".attention.masked_bias"].contains(where: name.hasSuffix) {
                buffers += 1
            } else if configuration.tiesEmbeddings && name == JSONString(headName) {
                notes.append("tensor '\(headName)' is left out: tie_word_embeddings is true, so the embedding is the output head")
            } else if name.hasSuffix(".bias") {
                biases.append("tensor \(name.quoted): models with biases are not supported")
            } else {
                unknown.append("tensor \(name.quoted): unknown, a LLaMA model has none of this name")
            }
        }
        if buffers > 0 { notes.append("\(buffers) constant buffer\(buffers == 1 ? "" : "s") left out (rotary frequencies follow from the config)") }
        return (biases, unknown)
    }

    private static func capped(_ lines: [String], _ kind: String) -> [String] {
        lines.count <= shownPerKind ? lines : lines.prefix(shownPerKind) + ["and \(lines.count - shownPerKind) more tensors \(kind)"]
    }
}
