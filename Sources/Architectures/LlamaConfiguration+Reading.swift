package import StrictJSON

extension LlamaConfiguration {
    package static let architecture = "LlamaForCausalLM"
    package static let modelType = "llama"
    package static let fileName = "config.json"

    /// Reads `config.json` as transformers 4 and 5 write it.
    package init(json bytes: [UInt8], file: String = Self.fileName) throws(ArchitectureError) {
        let root: JSONValue
        do throws(JSONError) { root = try JSONReader.read(bytes) } catch {
            throw ArchitectureError(subject: file, faults: ["\(error)"])
        }
        try self.init(root, file: file)
    }

    /// Reports all faults at once, except that an unknown architecture is the only one: its other fields mean nothing here.
    package init(_ root: JSONValue, file: String = Self.fileName) throws(ArchitectureError) {
        guard case .object(let object) = root else {
            throw ArchitectureError(subject: file, faults: ["expected an object, found \(root.summary)"])
        }
        var reader = ConfigurationReader(object)
        try Self.checkArchitecture(reader, file)
        Self.refuseUnsupported(&reader)

        let dimensions = 1...Self.largestDimension
        let hidden = reader.integer("hidden_size", in: dimensions)
        let heads = reader.integer("num_attention_heads", in: dimensions)
        let keyValueHeads = reader.integer("num_key_value_heads", in: dimensions, fallback: heads)
        let headDimension = reader.integer("head_dim", in: dimensions, fallback: max(1, hidden / heads))
        let shapesAreKnown = reader.faults.isEmpty
        hiddenSize = hidden
        self.heads = heads
        self.keyValueHeads = keyValueHeads
        self.headDimension = headDimension
        intermediateSize = reader.integer("intermediate_size", in: dimensions)
        layers = reader.integer("num_hidden_layers", in: 1...Self.mostLayers)
        vocabulary = reader.integer("vocab_size", in: dimensions)
        contextLength = reader.integer("max_position_embeddings", in: 1...(1 << 40), fallback: 2048)
        normEpsilon = reader.positive("rms_norm_eps", fallback: 1e-6)
        tiesEmbeddings = reader.flag("tie_word_embeddings")
        beginToken = reader.token("bos_token_id")
        endTokens = reader.tokens("eos_token_id")
        paddingToken = reader.token("pad_token_id")
        dtypeName = (reader.text("dtype") ?? reader.text("torch_dtype"))?.string
        (ropeTheta, ropeScaling) = RopeFields.read(&reader)
        if shapesAreKnown {
            Self.checkHeads(&reader, hidden: hidden, heads: heads, keyValueHeads: keyValueHeads, headDimension: headDimension)
        }
        if !reader.faults.isEmpty { throw ArchitectureError(subject: file, faults: reader.faults) }
    }

    private static let supported = "Quern converts LLaMA-2, Llama-3 and models fine-tuned from them; give the folder of one of these"

    private static func checkArchitecture(_ reader: ConfigurationReader, _ file: String) throws(ArchitectureError) {
        let type = reader.value("model_type")
        let names = reader.value("architectures")
        let typeFits = type.map { $0.jsonString == JSONString(modelType) }
        let nameFits = names.map { $0.array == [JSONValue(architecture)] }
        if typeFits ?? true && nameFits ?? true && (type ?? names) != nil { return }
        let found: String
        switch (names?.array?.first ?? names, type) {
        case (let name?, let type?): found = "\(name.summary), model_type \(type.summary)"
        case (let name?, nil): found = name.summary
        case (nil, let type?): found = "model_type \(type.summary)"
        case (nil, nil): found = "neither 'architectures' nor 'model_type'"
        }
        throw ArchitectureError(
            subject: file, faults: ["unknown architecture: expected '\(architecture)', model_type '\(modelType)'; found \(found); "
                + "\(supported)"])
    }

    static let alreadyQuantized = "this checkpoint is already quantized; give the original fp16 or bf16 one"

    /// What would change the result and is not implemented.
    private static func refuseUnsupported(_ reader: inout ConfigurationReader) {
        if let quantization = reader.value("quantization_config") {
            // bitsandbytes wrote none at first, but these.
            let loads = ["load_in_4bit", "load_in_8bit"].contains { quantization[$0] != nil }
            let method = quantization["quant_method"]?.jsonString ?? (loads ? "bitsandbytes" : nil)
            reader.fail("quantization_config", "is present\(method.map { " (\($0.quoted))" } ?? ""): \(alreadyQuantized)")
        }
        for bias in ["attention_bias", "mlp_bias"] where reader.flag(bias) {
            reader.fail(bias, "is true: models with biases are not supported; Llama models have none")
        }
        if let activation = reader.text("hidden_act"), activation != "silu" {
            reader.fail("hidden_act", "must be 'silu', the activation of Llama models, found \(activation.quoted)")
        }
    }

    private static func checkHeads(
        _ reader: inout ConfigurationReader, hidden: Int, heads: Int, keyValueHeads: Int, headDimension: Int
    ) {
        if reader.value("head_dim") == nil && hidden % heads != 0 {
            reader.fail("hidden_size", "\(hidden) is no multiple of num_attention_heads \(heads), and head_dim is absent")
        }
        if heads % keyValueHeads != 0 {
            reader.fail("num_attention_heads", "\(heads) is no multiple of num_key_value_heads \(keyValueHeads)")
        }
        if headDimension % 2 != 0 { reader.fail("head_dim", "\(headDimension) is odd; rotary embedding needs pairs") }
        // Both are at most 2^24, so the product fits.
        if heads * headDimension > largestDimension {
            reader.fail("head_dim", "\(headDimension) times num_attention_heads \(heads) is above \(largestDimension)")
        }
    }
}
