import Architectures
import StrictJSON
import Testing

@Suite struct LlamaTensorsTests {
    private let small: [String: JSONValue?] = [
        "hidden_size": 8, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 10,
    ]

    private func model(tied: Bool = false, layers: Int = 2) throws -> LlamaConfiguration {
        try LlamaConfiguration(configuration(small.merging([
            "tie_word_embeddings": JSONValue(tied), "num_hidden_layers": JSONValue(layers),
        ] as [String: JSONValue?]) { $1 }))
    }

    private func found(_ model: LlamaConfiguration) -> [FoundTensor] {
        LlamaTensors.expected(for: model).map { FoundTensor(name: $0.name, shape: $0.shape, dtypeName: "F16") }
    }

    @Test func executionOrder() throws {
        let expected = LlamaTensors.expected(for: try model())
        #expect(expected.count == 9 * 2 + 3)
        #expect(expected.map(\.role) == [.tokenEmbedding] + Array(repeating: [
            TensorRole.attentionNorm, .query, .key, .value, .attentionOutput, .feedForwardNorm, .gate, .up, .down,
        ], count: 2).flatMap { $0 } + [.outputNorm, .outputHead])
        #expect(expected[0] == ExpectedTensor(name: "model.embed_tokens.weight", role: .tokenEmbedding, layer: nil, shape: [10, 8]))
        #expect(expected[12] == ExpectedTensor(name: "model.layers.1.self_attn.k_proj.weight", role: .key, layer: 1, shape: [4, 8]))
        #expect(expected[18] == ExpectedTensor(name: "model.layers.1.mlp.down_proj.weight", role: .down, layer: 1, shape: [8, 24]))
        #expect(expected.last == ExpectedTensor(name: "lm_head.weight", role: .outputHead, layer: nil, shape: [10, 8]))
        #expect(LlamaTensors.expected(for: try model(tied: true)).last?.role == .outputNorm)
    }

    @Test func completeModelMatchesInAnyOrder() throws {
        let model = try model()
        let tensors = Array(found(model).reversed())
        let check = LlamaTensors.check(model, found: tensors)
        #expect(check.faults.isEmpty && check.notes.isEmpty)
        for match in try check.validated() { #expect(tensors[match.foundIndex].name == match.expected.name) }
        #expect(check.matches.map(\.expected) == LlamaTensors.expected(for: model))
    }

    @Test func everyDifferenceIsListed() throws {
        let model = try model()
        var tensors = found(model)
        tensors[0] = FoundTensor(name: tensors[0].name, shape: [11, 8], dtypeName: "I64")
        tensors.remove(at: 2)
        tensors += [
            FoundTensor(name: "model.layers.0.self_attn.q_proj.bias", shape: [8], dtypeName: "F16"),
            FoundTensor(name: "model.layers.2.mlp.up_proj.weight", shape: [24, 8], dtypeName: "F16"),
            FoundTensor(name: "model.layers.0.self_attn.rotary_emb.inv_freq", shape: [1], dtypeName: "F32"),
            FoundTensor(name: "model.norm.weight", shape: [8], dtypeName: "F16"),
        ]
        let check = LlamaTensors.check(model, found: tensors)
        let error = #expect(throws: ArchitectureError.self) { try check.validated() }
        #expect(error?.description == """
            tensors: 6 faults
              tensor 'model.layers.0.self_attn.q_proj.weight': missing, expected with shape [8, 8]
              tensor 'model.embed_tokens.weight': the config asks for shape [10, 8], found [11, 8]
              tensor 'model.embed_tokens.weight': type must be one of F32, F16, BF16, found 'I64'
              tensor 'model.norm.weight': appears more than once
              tensor 'model.layers.0.self_attn.q_proj.bias': models with biases are not supported
              tensor 'model.layers.2.mlp.up_proj.weight': unknown, a LLaMA model has none of this name
            """)
        #expect(check.notes == ["1 constant buffer left out (rotary frequencies follow from the config)"])
    }

    /// What other programs leave in the place of a matrix; the config need not say that they were there.
    @Test(arguments: [
        ("qweight", "GPTQ or AWQ"), ("weight.absmax", "bitsandbytes"), ("weight.quant_state.bitsandbytes__nf4", "bitsandbytes"),
        ("weight_packed", "compressed-tensors or FP8"), ("weight_scale_inv", "compressed-tensors or FP8"), ("trellis", "EXL2 or EXL3"), ("W_q", "HQQ"),
    ])
    func quantizedCheckpointsAreOneFault(ending: String, method: String) throws {
        let model = try model()
        let tensors = found(model).dropLast(3) + [FoundTensor(name: "model.layers.0.mlp.up_proj.\(ending)", shape: [3, 8], dtypeName: "I32")]
        #expect(LlamaTensors.check(model, found: Array(tensors)).faults == [
            "tensor 'model.layers.0.mlp.up_proj.\(ending)': its name is one of \(method): this checkpoint is already quantized; "
                + "give the original fp16 or bf16 one"
        ])
    }

    @Test func quantizedTypes() throws {
        let model = try model()
        var tensors = found(model)
        tensors[3] = FoundTensor(name: tensors[3].name, shape: tensors[3].shape, dtypeName: "F8_E4M3")
        #expect(LlamaTensors.check(model, found: tensors).faults == [
            "tensor 'model.layers.0.self_attn.k_proj.weight': type must be one of F32, F16, BF16, found 'F8_E4M3': "
                + "this checkpoint is already quantized; give the original fp16 or bf16 one"
        ])
    }

    @Test func longListsAreCut() throws {
        let check = LlamaTensors.check(try model(layers: 100), found: [])
        #expect(check.faults.count == 21)
        #expect(check.faults.last == "and 883 more tensors missing")
    }

    @Test func tiedModelIgnoresItsHead() throws {
        let model = try model(tied: true)
        let check = LlamaTensors.check(model, found: found(model) + [FoundTensor(name: "lm_head.weight", shape: [10, 8], dtypeName: "F16")])
        #expect(check.faults.isEmpty)
        #expect(check.notes == ["tensor 'lm_head.weight' is left out: tie_word_embeddings is true, so the embedding is the output head"])
        #expect(!check.matches.contains { $0.expected.role == .outputHead })
    }

    @Test func namesAreComparedAsBytes() throws {
        let model = try model()
        // U+212A, the Kelvin sign, is canonically equivalent to 'K'.
        let tensors = found(model) + [FoundTensor(name: "K", shape: [], dtypeName: "F16"), FoundTensor(name: "\u{212A}", shape: [], dtypeName: "F16")]
        #expect(LlamaTensors.check(model, found: tensors).faults.count == 2)
    }
}
