import StrictJSON

/// Tells checkpoints that another program quantized, whose config may not say so, by the names that only they have.
enum QuantizedTensors {
    /// Endings of tensor names by the method that writes them.
    private static let endings: [(method: String, endings: [String])] = [
        ("GPTQ or AWQ", [".qweight", ".qzeros", ".g_idx", ".scales"]),
        ("bitsandbytes", [".absmax", ".quant_map", ".nested_absmax", ".nested_quant_map", ".SCB", ".bitsandbytes__nf4", ".bitsandbytes__fp4"]),
        ("compressed-tensors or FP8", [".weight_packed", ".weight_scale", ".weight_scale_inv", ".weight_zero_point", ".weight_shape", ".input_scale"]),
        ("EXL2 or EXL3", [".q_weight", ".q_scale", ".trellis"]),
        ("HQQ", [".W_q"]),
    ]

    /// Element types that hold quantized weights and never original ones.
    static let types: Set<String> = ["F4", "F6_E2M3", "F6_E3M2", "F8_E4M3", "F8_E5M2", "F8_E4M3FNUZ", "F8_E5M2FNUZ", "I8", "U8", "I32", "U32"]

    /// One line about the first of these names that a quantized checkpoint has; nil when there is none.
    static func fault(_ names: [JSONString]) -> String? {
        for name in names {
            guard let found = endings.first(where: { $0.endings.contains(where: name.hasSuffix) }) else { continue }
            return "tensor \(name.quoted): its name is one of \(found.method): \(LlamaConfiguration.alreadyQuantized)"
        }
        return nil
    }
}
