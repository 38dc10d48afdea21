package import Architectures
import Foundation
import RandomNumbers
package import StrictJSON

/// A small Llama of seeded random weights, with what transformers computed for it: `Tests/Fixtures/made-llama`, written by
/// `Tools/make_llama3_fixtures.py`, whose recipe makes the same weights here.
package struct MadeLlama: Sendable {
    package let name: String
    package let config: JSONValue
    package let configuration: LlamaConfiguration
    /// "BF16" or "F16", which hold the weights exactly.
    package let dtype: String
    package let ids: [Int32]
    /// Positions in `ids` whose logits are known.
    package let rows: [Int]
    /// The greedy continuation of the first `promptTokens` ids, and that up to an end token.
    package let promptTokens: Int
    package let greedy, answer: [Int32]
    package let end: Int
    package let inverseFrequencies: [Float]
    private let seed: UInt64

    package static let names = ["tied-llama3-rope", "untied-linear-rope", "wide-heads"]
    package static let fixtures = repositoryRoot.path + "/Tests/Fixtures/made-llama"

    package struct Malformed: Error { let place: String }

    package init(_ name: String) throws {
        let file = try JSONReader.read(Array(Data(contentsOf: URL(fileURLWithPath: Self.fixtures + "/golden.json"))))
        guard let model = file["models"]?.array?.first(where: { $0["name"]?.string == name }) else { throw Malformed(place: name) }
        func integers(_ key: String) throws -> [Int] {
            guard let values = model[key]?.array else { throw Malformed(place: key) }
            return values.compactMap(\.int)
        }
        guard let config = model["config"], let dtype = model["dtype"]?.string, let seed = model["seed"]?.int, let prompt = model["prompt_tokens"]?.int,
            let end = model["end"]?.int, let frequencies = model["inverse_frequencies"]?.array
        else { throw Malformed(place: name) }
        self.name = name
        self.config = config
        configuration = try LlamaConfiguration(config)
        self.dtype = dtype
        ids = try integers("ids").map { Int32($0) }
        rows = try integers("rows")
        promptTokens = prompt
        greedy = try integers("greedy").map { Int32($0) }
        answer = try integers("answer").map { Int32($0) }
        self.end = end
        inverseFrequencies = frequencies.compactMap { $0.double.map { Float($0) } }
        self.seed = UInt64(seed)
    }

    /// Writes the checkpoint into an empty folder; its tokenizer knows single bytes.
    package func write(to folder: String) throws {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        func write(_ name: String, _ bytes: [UInt8]) throws { try Data(bytes).write(to: URL(fileURLWithPath: "\(folder)/\(name)")) }
        try write("config.json", config.serialized())
        try write("tokenizer.json", Self.tokenizer.serialized())
        var header = JSONObject()
        var bytes: [UInt8] = []
        for tensor in LlamaTensors.expected(for: configuration) {
            let start = bytes.count
            for value in values(of: tensor) {
                let bits = dtype == "BF16" ? UInt16(value.bitPattern >> 16) : Float16(value).bitPattern
                bytes += [UInt8(truncatingIfNeeded: bits), UInt8(bits >> 8)]
            }
            let range = [JSONValue(start), JSONValue(bytes.count)]
            header.set(
                tensor.name, ["dtype": JSONValue(dtype), "shape": JSONValue(tensor.shape.map { JSONValue($0) }), "data_offsets": JSONValue(range)])
        }
        let text = JSONValue(header).serialized()
        try write("model.safetensors", withUnsafeBytes(of: UInt64(text.count).littleEndian) { Array($0) } + text + bytes)
    }

    /// The recipe of the script.
    private func values(of tensor: ExpectedTensor) -> [Float] {
        let hash = tensor.name.utf8.reduce(0xCBF2_9CE4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
        var random = SplitMix64(seed: seed ^ hash)
        let numbers = random.signedBytes(tensor.shape.reduce(1, *))
        guard tensor.shape.count == 2 else { return numbers.map { Float(128 + Int($0) >> 2) / 128 } }
        var exponent = 6
        while 1 << (2 * (exponent - 6)) < tensor.shape[1] { exponent += 1 }
        if tensor.role == .tokenEmbedding { exponent = 10 }
        return numbers.map { Float($0) / Float(1 << exponent) }
    }

    /// Byte-pair encoding without a merge: every byte is a token, 3 + its value.
    private static var tokenizer: JSONValue {
        var vocabulary: JSONObject = ["<unk>": 0, "<s>": 1, "</s>": 2]
        for byte in 0..<256 {
            let digits = String(byte, radix: 16, uppercase: true)
            vocabulary.set("<0x\(digits.count < 2 ? "0" : "")\(digits)>", JSONValue(3 + byte))
        }
        return [
            "added_tokens": JSONValue(["<unk>", "<s>", "</s>"].enumerated().map { ["id": JSONValue($0), "content": JSONValue($1), "special": true] }),
            "normalizer": ["type": "Replace", "pattern": ["String": " "], "content": "\u{2581}"],
            "decoder": ["type": "Sequence", "decoders": [["type": "ByteFallback"], ["type": "Fuse"]]],
            "model": ["type": "BPE", "unk_token": "<unk>", "fuse_unk": true, "byte_fallback": true, "vocab": JSONValue(vocabulary), "merges": []],
        ]
    }
}
