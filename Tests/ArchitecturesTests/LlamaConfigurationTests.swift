import Architectures
import StrictJSON
import Testing

/// A config with the shape of LLaMA-2-7B; `changes` replace or add fields, nil removes one.
func configuration(_ changes: [String: JSONValue?] = [:]) -> JSONValue {
    var object: JSONObject = [
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 4096, "intermediate_size": 11008,
        "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 32, "vocab_size": 32000, "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0, "rope_scaling": nil, "max_position_embeddings": 4096, "tie_word_embeddings": false,
        "torch_dtype": "float16", "bos_token_id": 1, "eos_token_id": 2, "hidden_act": "silu",
    ]
    for (key, value) in changes.sorted(by: { $0.key < $1.key }) {
        if let value {
            object.set(key, value)
        } else {
            let kept = object.members.filter { $0.key != JSONString(key) }
            object = JSONObject()
            for member in kept { object.set(member.key.string, member.value) }
        }
    }
    return JSONValue(object)
}

@Suite struct LlamaConfigurationTests {
    private func error(_ changes: [String: JSONValue?]) -> String? {
        do throws(ArchitectureError) {
            _ = try LlamaConfiguration(configuration(changes))
            return nil
        } catch { return error.description }
    }

    @Test func readsAllFields() throws {
        let read = try LlamaConfiguration(json: configuration().serialized(pretty: true))
        #expect(read.hiddenSize == 4096 && read.intermediateSize == 11008 && read.layers == 32 && read.heads == 32)
        #expect(read.keyValueHeads == 32 && read.headDimension == 128 && read.vocabulary == 32000 && read.contextLength == 4096)
        #expect(read.normEpsilon == 1e-5 && read.ropeTheta == 10000 && read.ropeScaling == .none && !read.tiesEmbeddings)
        #expect(read.beginToken == 1 && read.endTokens == [2] && read.paddingToken == nil && read.dtypeName == "float16")
    }

    @Test func absentOrNullFieldsHaveDefaults() throws {
        let optional = [
            "num_key_value_heads", "rope_theta", "rope_scaling", "max_position_embeddings", "tie_word_embeddings", "torch_dtype", "bos_token_id",
            "eos_token_id", "rms_norm_eps", "hidden_act", "architectures",
        ]
        for value in [JSONValue?.none, JSONValue.null] {
            let read = try LlamaConfiguration(configuration(Dictionary(uniqueKeysWithValues: optional.map { ($0, value) })))
            #expect(read.keyValueHeads == 32 && read.ropeTheta == 10000 && read.ropeScaling == .none && read.normEpsilon == 1e-6)
            #expect(!read.tiesEmbeddings && read.dtypeName == nil && read.beginToken == nil && read.endTokens.isEmpty && read.contextLength == 2048)
        }
        #expect(error(["model_type": .some(nil)]) == nil)
    }

    @Test func transformers5Spelling() throws {
        let read = try LlamaConfiguration(configuration([
            "rope_theta": .some(nil), "rope_scaling": .some(nil), "torch_dtype": .some(nil), "dtype": "bfloat16",
            "rope_parameters": ["rope_type": "default", "rope_theta": 500000.0], "eos_token_id": [128001, 128009],
        ]))
        #expect(read.ropeTheta == 500000 && read.ropeScaling == .none && read.dtypeName == "bfloat16" && read.endTokens == [128001, 128009])
        let scaled = try LlamaConfiguration(configuration([
            "rope_theta": .some(nil),
            "rope_parameters": [
                "rope_type": "llama3", "rope_theta": 500000, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                "original_max_position_embeddings": 8192,
            ],
        ]))
        #expect(scaled.ropeScaling == .llama3(factor: 8, lowFrequencyFactor: 1, highFrequencyFactor: 4, originalContext: 8192))
    }

    @Test func scalingTypes() throws {
        #expect(try LlamaConfiguration(configuration(["rope_scaling": ["type": "linear", "factor": 2]])).ropeScaling == .linear(factor: 2))
        #expect(try LlamaConfiguration(configuration(["rope_scaling": ["rope_type": "default"]])).ropeScaling == .none)
        #expect(error(["rope_scaling": ["type": "yarn", "factor": 2]])
            == "config.json: rope_scaling.rope_type 'yarn' is not supported; supported are 'default', 'linear' and 'llama3'; "
            + "give the model from before its context was extended")
        for type in ["dynamic", "longrope", "su", "mrope", "proportional"] as [JSONValue] {
            #expect(error(["rope_scaling": ["type": type, "factor": 2]])?.contains("'\(type.string!)' is not supported") == true)
            #expect(error(["rope_parameters": ["rope_type": type, "rope_theta": 10000.0]])?.contains("'\(type.string!)' is not supported") == true)
        }
        #expect(error(["rope_scaling": ["factor": 2]]) == "config.json: rope_scaling.rope_type is missing")
        #expect(error(["rope_scaling": 2]) == "config.json: rope_scaling must be an object or null, found 2")
        #expect(error(["rope_scaling": ["type": "linear", "factor": 0.5]]) == "config.json: rope_scaling.factor must be at least 1, found 0.5")
        #expect(error(["rope_scaling": ["type": "linear", "rope_type": "llama3"]])?.contains("rope_type is 'llama3', but type is 'linear'") == true)
        #expect(error(["rope_scaling": ["type": "llama3"]]) == """
            config.json: 4 faults
              rope_scaling.factor is missing
              rope_scaling.low_freq_factor is missing
              rope_scaling.high_freq_factor is missing
              rope_scaling.original_max_position_embeddings is missing
            """)
        #expect(error(["rope_parameters": ["rope_theta": 500000]]) == "config.json: rope_theta is given twice, as 10000.0 and as 500000.0")
        #expect(error(["rope_parameters": ["rope_type": "default"], "rope_scaling": ["type": "linear", "factor": 2]])
            == "config.json: rope_parameters and rope_scaling do not say the same")
        #expect(error(["partial_rotary_factor": 0.5]) == "config.json: partial_rotary_factor must be 1, found 0.5")
        #expect(error(["partial_rotary_factor": 1.0]) == nil)
    }

    @Test func unknownArchitectures() {
        let expected = "config.json: unknown architecture: expected 'LlamaForCausalLM', model_type 'llama'; found "
        let advice = "; Quern converts LLaMA-2, Llama-3 and models fine-tuned from them; give the folder of one of these"
        for (name, type) in [("Mistral", "mistral"), ("Qwen2", "qwen2"), ("Gemma2", "gemma2"), ("Llama4", "llama4"), ("Phi3", "phi3")] {
            #expect(error(["architectures": [JSONValue("\(name)ForCausalLM")], "model_type": JSONValue(type), "hidden_size": -1])
                == expected + "the string '\(name)ForCausalLM', model_type the string '\(type)'" + advice)
        }
        #expect(error(["model_type": "gemma"]) == expected + "the string 'LlamaForCausalLM', model_type the string 'gemma'" + advice)
        #expect(error(["architectures": .some(nil), "model_type": .some(nil)]) == expected + "neither 'architectures' nor 'model_type'" + advice)
        #expect(error(["architectures": ["LlamaForSequenceClassification"]])?.hasPrefix(expected) == true)
        #expect(error(["architectures": []])?.hasPrefix(expected) == true)
    }

    @Test func allFaultsAtOnce() {
        #expect(error([
            "attention_bias": true, "mlp_bias": true, "hidden_act": "gelu", "quantization_config": ["quant_method": "gptq"],
            "hidden_size": 0, "num_hidden_layers": 4096.0, "vocab_size": "many", "rms_norm_eps": 0, "rope_theta": -1,
            "tie_word_embeddings": "no", "intermediate_size": .some(nil), "eos_token_id": [1, -2],
        ]) == """
            config.json: 12 faults
              quantization_config is present ('gptq'): this checkpoint is already quantized; give the original fp16 or bf16 one
              attention_bias is true: models with biases are not supported; Llama models have none
              mlp_bias is true: models with biases are not supported; Llama models have none
              hidden_act must be 'silu', the activation of Llama models, found 'gelu'
              hidden_size must be an integer from 1 to 16777216, found 0
              intermediate_size is missing
              num_hidden_layers must be an integer from 1 to 1024, found 4096.0
              vocab_size must be an integer from 1 to 16777216, found the string 'many'
              rms_norm_eps must be a number above 0, found 0
              tie_word_embeddings must be true or false, found the string 'no'
              eos_token_id must be a token id or a list of them, found -2
              rope_theta must be a number above 0, found -1
            """)
    }

    @Test func quantizedCheckpoints() {
        let expected = "this checkpoint is already quantized; give the original fp16 or bf16 one"
        for method in ["gptq", "awq", "bitsandbytes", "compressed-tensors", "fp8"] {
            #expect(error(["quantization_config": ["quant_method": JSONValue(method), "bits": 4]])
                == "config.json: quantization_config is present ('\(method)'): " + expected)
        }
        #expect(error(["quantization_config": ["load_in_8bit": true]]) == "config.json: quantization_config is present ('bitsandbytes'): " + expected)
        #expect(error(["quantization_config": [:]]) == "config.json: quantization_config is present: " + expected)
        #expect(error(["quantization_config": nil]) == nil)
    }

    /// Shapes of Llama-3-8B, Llama-3.1-8B, Llama-3.2-1B and Med42-v2 as their configs have them.
    @Test func llama3() throws {
        let large: [String: JSONValue?] = [
            "hidden_size": 4096, "intermediate_size": 14336, "num_key_value_heads": 8, "vocab_size": 128256, "max_position_embeddings": 8192,
            "rope_theta": 500000.0, "torch_dtype": "bfloat16", "bos_token_id": 128000, "eos_token_id": 128001, "attention_bias": false, "mlp_bias": false,
        ]
        let first = try LlamaConfiguration(configuration(large))
        #expect(first.ropeTheta == 500000 && first.ropeScaling == .none && first.endTokens == [128001] && first.vocabulary == 128256)
        #expect(first.headDimension == 128 && first.keyValueRows == 1024 && first.dtypeName == "bfloat16")
        let stretched: JSONValue = [
            "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192, "rope_type": "llama3",
        ]
        let second = try LlamaConfiguration(configuration(large.merging([
            "rope_scaling": stretched, "max_position_embeddings": 131072, "eos_token_id": [128001, 128008, 128009],
        ]) { $1 }))
        #expect(second.ropeScaling == .llama3(factor: 8, lowFrequencyFactor: 1, highFrequencyFactor: 4, originalContext: 8192))
        #expect(second.endTokens == [128001, 128008, 128009] && second.contextLength == 131072)
        let third = try LlamaConfiguration(configuration(large.merging([
            "hidden_size": 2048, "intermediate_size": 8192, "num_hidden_layers": 16, "head_dim": 64, "tie_word_embeddings": true,
            "rope_scaling": ["factor": 32.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192, "rope_type": "llama3"],
        ]) { $1 }))
        #expect(third.tiesEmbeddings && third.headDimension == 64 && third.parameterCount == 1_235_814_400)
        #expect(LlamaTensors.expected(for: third).filter { $0.shape.contains(128256) }.map(\.name) == ["model.embed_tokens.weight"])
    }

    @Test func contexts() throws {
        func read(_ context: Int, _ changes: [String: JSONValue?] = [:]) throws -> LlamaConfiguration {
            try LlamaConfiguration(configuration(changes.merging(["max_position_embeddings": JSONValue(context)]) { $1 }))
        }
        let med42: [String: JSONValue?] = [
            "hidden_size": 8192, "intermediate_size": 28672, "num_hidden_layers": 80, "num_attention_heads": 64, "num_key_value_heads": 8,
        ]
        let understated = try read(2048, med42)
        #expect(understated.baseContext == 4096 && understated.defaultContext == 4096 && understated.largestContext == 8192)
        #expect(try read(4096, med42).baseContext == nil && read(2048).baseContext == nil && read(2048, med42.merging(["rope_theta": 5e5]) { $1 }).baseContext == nil)
        #expect(try read(2048).defaultContext == 2048 && read(2048).largestContext == 8192)
        #expect(try read(131072).defaultContext == 4096 && read(131072).largestContext == 524288)
        #expect(try read(4096, ["rope_scaling": ["type": "linear", "factor": 8]]).largestContext == 32768)
        #expect(try read(1).defaultContext == 2)
    }

    @Test func headsMustFit() {
        #expect(error(["num_attention_heads": 30, "num_key_value_heads": 30])
            == "config.json: hidden_size 4096 is no multiple of num_attention_heads 30, and head_dim is absent")
        #expect(error(["num_attention_heads": 30, "num_key_value_heads": 30, "head_dim": 128]) == nil)
        #expect(error(["num_key_value_heads": 5]) == "config.json: num_attention_heads 32 is no multiple of num_key_value_heads 5")
        #expect(error(["head_dim": 127]) == "config.json: head_dim 127 is odd; rotary embedding needs pairs")
        #expect(error(["head_dim": 16_777_216]) == "config.json: head_dim 16777216 times num_attention_heads 32 is above 16777216")
        #expect(error(["head_dim": .some(nil), "pad_token_id": -1]) == nil)
    }

    @Test func largestAllowedNumbersDoNotOverflow() throws {
        let most: JSONValue = 16_777_216
        let read = try LlamaConfiguration(configuration([
            "hidden_size": most, "intermediate_size": most, "vocab_size": most, "num_hidden_layers": 1024, "num_attention_heads": most,
            "num_key_value_heads": most, "head_dim": .some(nil),
        ].merging(["head_dim": JSONValue?.some(2), "num_attention_heads": 8_388_608, "num_key_value_heads": 8_388_608]) { $1 }))
        #expect(read.parameterCount > 0 && read.cacheBytesPerToken() > 0)
    }

    @Test func hostileTexts() {
        for text in ["", "[]", "null", "{}", "{\"hidden_size\": 1, \"hidden_size\": 2}", "{\"model_type\":\"llama\",\"hidden_size\":1e999}"] {
            #expect(throws: ArchitectureError.self) { _ = try LlamaConfiguration(json: Array(text.utf8)) }
        }
        for value in ["-1", "0", "9223372036854775807", "18446744073709551615", "1e308", "\"\"", "[]", "{}", "true", "-0"] as [String] {
            for key in configuration().object!.keys {
                var object = configuration().object!
                object.set(key.string, try! JSONReader.read(value))
                // Only a trap would be wrong here.
                _ = try? LlamaConfiguration(JSONValue(object))
            }
        }
    }

    /// Published sizes of the models Quern is for.
    @Test func parameterCounts() throws {
        func read(_ hidden: Int, _ intermediate: Int, _ layers: Int, _ heads: Int, _ keyValueHeads: Int, _ vocabulary: Int) throws -> LlamaConfiguration {
            try LlamaConfiguration(configuration([
                "hidden_size": JSONValue(hidden), "intermediate_size": JSONValue(intermediate), "num_hidden_layers": JSONValue(layers),
                "num_attention_heads": JSONValue(heads), "num_key_value_heads": JSONValue(keyValueHeads), "vocab_size": JSONValue(vocabulary),
            ]))
        }
        let models = try [
            (read(4096, 11008, 32, 32, 32, 32000), 202_383_360, 6_738_415_616, 524_288),
            (read(5120, 13824, 40, 40, 40, 32000), 317_204_480, 13_015_864_320, 819_200),
            (read(8192, 28672, 80, 64, 8, 32000), 855_654_400, 68_976_648_192, 327_680),
            (read(4096, 14336, 32, 32, 8, 128256), 218_112_000, 8_030_261_248, 131_072),
            (read(8192, 28672, 80, 64, 8, 128256), 855_654_400, 70_553_706_496, 327_680),
        ]
        for (model, perLayer, total, cache) in models {
            #expect(model.parametersPerLayer == perLayer)
            #expect(model.parameterCount == total)
            #expect(model.cacheBytesPerToken() == cache)
            #expect(LlamaTensors.expected(for: model).reduce(0) { $0 + $1.shape.reduce(1, *) } == total)
        }
    }

    /// The reference values have seven digits.
    private func isClose(_ value: Float, _ expected: Double) -> Bool { abs(Double(value) - expected) <= 4e-7 * expected }

    @Test func inverseFrequencies() {
        let small = RopeScaling.none.inverseFrequencies(theta: 10000, dimension: 128)
        #expect(small.count == 64 && small[0] == 1)
        #expect(isClose(small[1], 0.8659643) && isClose(small[31], 0.01154782) && isClose(small[32], 0.01) && isClose(small[63], 1.1547820e-4))
        let large = RopeScaling.none.inverseFrequencies(theta: 500000, dimension: 128)
        #expect(isClose(large[1], 0.8146172) && isClose(large[31], 0.001736047) && isClose(large[32], 0.001414214) && isClose(large[63], 2.4551408e-6))
        #expect(RopeScaling.linear(factor: 4).inverseFrequencies(theta: 10000, dimension: 128) == small.map { $0 / 4 })

        let scaled = RopeScaling.llama3(factor: 8, lowFrequencyFactor: 1, highFrequencyFactor: 4, originalContext: 8192)
            .inverseFrequencies(theta: 500000, dimension: 128)
        let divisors = [29: 1.2074839, 30: 1.5534146, 31: 2.0263132, 32: 2.6945297, 33: 3.6842525, 34: 5.2573266]
        for pair in 0..<64 {
            let expected = divisors[pair] ?? (pair < 29 ? 1 : 8)
            #expect(abs(Double(large[pair]) / Double(scaled[pair]) - expected) < 3e-6 * expected, "pair \(pair)")
        }
    }
}
