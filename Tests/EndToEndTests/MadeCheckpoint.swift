import Foundation
import StrictJSON

/// The bundled checkpoint's shape with other weights, in one file: all zero, but for what is asked for.
struct MadeCheckpoint {
    let folder: String

    /// `type` is BF16 or F32; `values` are placed by tensor and index.
    init(in scratch: Scratch, type: String, values: [(tensor: String, index: Int, value: Float)] = []) throws {
        folder = scratch.path("made")
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        for name in ["config.json", "tokenizer.model", "tokenizer_config.json"] {
            try FileManager.default.copyItem(atPath: "\(QuernProcess.fixture)/\(name)", toPath: "\(folder)/\(name)")
        }
        let size = type == "F32" ? 4 : 2
        var header = JSONObject()
        var places: [String: Int] = [:]
        var end = 0
        for shard in 1...3 {
            let bytes = try Data(contentsOf: URL(filePath: "\(QuernProcess.fixture)/model-0000\(shard)-of-00003.safetensors"))
            let length = bytes.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
            for member in try JSONReader.read(Array(bytes[8..<8 + length])).object?.members ?? [] {
                guard let shape = member.value["shape"] else { continue }
                let start = end
                end += size * (shape.array ?? []).reduce(1) { $0 * ($1.int ?? 0) }
                places[member.key.string] = start
                header.set(
                    member.key.string,
                    ["dtype": JSONValue(type), "shape": shape, "data_offsets": [JSONValue(start), JSONValue(end)]])
            }
        }
        var weights = Data(count: end)
        for (tensor, index, value) in values {
            let bits = value.bitPattern >> (size == 2 ? 16 : 0)
            for byte in 0..<size { weights[places[tensor]! + size * index + byte] = UInt8(truncatingIfNeeded: bits >> (8 * byte)) }
        }
        let text = JSONValue(header).serialized()
        let length = (0..<8).map { UInt8(truncatingIfNeeded: text.count >> (8 * $0)) }
        try (Data(length) + Data(text) + weights).write(to: URL(filePath: "\(folder)/model.safetensors"))
    }
}
