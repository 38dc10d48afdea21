import Architectures
import Conversion
import ModelFiles
import Safetensors
import StrictJSON
import Tensors

/// What `inspect` shows of a checkpoint's folder.
struct CheckpointReport {
    private let model: CheckpointModel
    private let listsTensors: Bool

    init(_ model: CheckpointModel, listsTensors: Bool) {
        self.model = model
        self.listsTensors = listsTensors
    }

    private var byType: [(name: String, tensors: Int, weights: Int)] {
        let names = Set(model.tensors.map(\.source.name)).sorted()
        return names.map { name in
            let tensors = model.tensors.filter { $0.source.name == name }
            return (name, tensors.count, tensors.reduce(0) { $0 + $1.rows * $1.columns })
        }
    }

    func show(json: Bool) {
        if json { return showJSON() }
        print("""
            \(model.checkpoint.folder): a checkpoint, complete
            \(ShapeReport(configuration: model.configuration).text)
              parameters   \(Quantities.count(model.parameterCount)) in \(model.tensors.count) tensors: \
            \(byType.map { "\($0.tensors) \($0.name)" }.joined(separator: ", "))
              size         \(Quantities.bytes(model.shardBytes)) in \(model.checkpoint.shards.count) shard\(model.checkpoint.shards.count == 1 ? "" : "s")
              tokenizer    \(model.tokenizer?.files.map(\.name).joined(separator: ", ") ?? "none")
            """)
        for shard in model.checkpoint.shards { print("               \(shard.name)  \(shard.size) bytes") }
        for note in model.notes { print("  note         \(note)") }
        guard listsTensors else { return }
        var table = TextTable(["tensor", "type", "shape", "shard"])
        for tensor in model.tensors {
            table.add([
                tensor.expected.name, tensor.source.name, tensor.expected.shape.map { "\($0)" }.joined(separator: " x "),
                "\(tensor.found.shardIndex + 1)",
            ])
        }
        print("\n\(table.text)")
    }

    private func showJSON() {
        var document: JSONObject = [
            "kind": "checkpoint", "path": JSONValue(model.checkpoint.folder), "shape": ShapeReport(configuration: model.configuration).json,
            "parameters": JSONValue(model.parameterCount), "bytes": JSONValue(model.shardBytes),
            "shards": JSONValue(model.checkpoint.shards.map { ["name": JSONValue($0.name), "bytes": JSONValue($0.size)] }),
            "types": JSONValue(byType.map { ["type": JSONValue($0.name), "tensors": JSONValue($0.tensors), "weights": JSONValue($0.weights)] }),
            "tokenizer": JSONValue((model.tokenizer?.files ?? []).map { JSONValue($0.name) }), "notes": JSONValue(model.notes.map { JSONValue($0) }),
        ]
        if listsTensors {
            document.set(
                "tensors",
                JSONValue(
                    model.tensors.map { tensor in
                        [
                            "name": JSONValue(tensor.expected.name), "type": JSONValue(tensor.source.name),
                            "shape": JSONValue(tensor.expected.shape.map { JSONValue($0) }),
                            "shard": JSONValue(model.checkpoint.shards[tensor.found.shardIndex].name), "bytes": JSONValue(tensor.found.byteCount),
                        ]
                    }))
        }
        Terminal.document(document)
    }
}
