import Architectures
import Conversion
import ModelFiles
import Reporting
import StrictJSON
import Tensors

/// Reports on models that exist only as records.
enum MadeReport {
    static func config(layers: Int, hidden: Int = 256, intermediate: Int = 512, heads: Int = 4, keyValueHeads: Int = 2, vocabulary: Int = 512) -> String {
        """
        {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu", "hidden_size": \(hidden), \
        "intermediate_size": \(intermediate), "num_hidden_layers": \(layers), "num_attention_heads": \(heads), "num_key_value_heads": \(keyValueHeads), \
        "vocab_size": \(vocabulary), "max_position_embeddings": 4096, "rms_norm_eps": 1e-05, "bos_token_id": 1, "eos_token_id": 2}
        """
    }

    /// A record for each tensor of the configuration; types repeat along the matrices of the layers.
    static func file(config: String, types: [StorageType] = [.q4], shards: Int = 2) throws -> ReportedFile {
        let configuration = try LlamaConfiguration(json: Array(config.utf8))
        let grids = (0..<64).map { UInt8(1 + ($0 * 31) % 127) }
        let planned = LlamaTensors.expected(for: configuration).enumerated().map { index, expected -> PlannedTensor in
            let isVector = expected.shape.count == 1
            let type: StorageType = isVector ? .f32 : expected.role == .outputHead ? .q8 : types[index % types.count]
            return PlannedTensor(
                name: expected.name, type: type, rank: isVector ? 1 : 2, rows: expected.shape[0], columns: isVector ? 1 : expected.shape[1],
                sourceType: .f16, grids: type.traits.usesGrids ? grids : [])
        }
        let plan = try ModelFilePlan(planned, path: "made")
        let tensors = plan.tensors.enumerated().map { index, record -> TensorRecord in
            var record = record
            record.errors = errors(of: record, index: index)
            return record
        }
        let sources = (1...shards).map { ModelMetadata.Source(name: "model-\($0).safetensors", bytes: 1 << 30, sha256: Digest32.of([UInt8($0)])) }
        let metadata = ModelMetadata(generator: .init(name: "quern", version: "0.1.0"), options: ["type": "q4"], sources: sources, config: config)
        return ReportedFile(
            fileBytes: plan.dataEnd, fingerprint: Digest32.of([7]), tensors: tensors, metadata: metadata, tokenizerFiles: ["tokenizer.model"])
    }

    private static func errors(of record: TensorRecord, index: Int) -> ErrorSums {
        var errors = ErrorSums()
        (errors.signal, errors.stored, errors.product) = (1000, 1000, 999)
        guard record.rank == 2 else { return errors }
        errors.noise = 1000 / (record.type == .q8 ? 30_000 : 280 + Double(index % 17))
        errors.largest = 0.015
        errors.worstRow = index % record.rows
        errors.worstRowRatio = errors.noise / 1000 * 1.3
        return errors
    }

    static func report(
        _ file: ReportedFile, title: String? = nil, comparison: QualityReport.Comparison = .recorded, digestsVerified: Bool = true, codes: [CodeCounts] = [],
        evaluations: [EvaluationResult] = [], gates: Gates = Gates()
    ) throws -> QualityReport {
        try QualityReport(
            title: title, file: file, configuration: try LlamaConfiguration(json: Array(file.metadata.config.utf8)),
            figures: ModelFigures(file.tensors.map { TensorFigures($0) }), comparison: comparison, digestsVerified: digestsVerified, codes: codes,
            evaluations: evaluations, gates: gates)
    }

    static func page(_ report: QualityReport) -> String { String(decoding: report.page, as: UTF8.self) }

    static let evaluation = """
        {"windows": 8, "scored": 2040, "perplexity": 74.94, "perplexity_uncertainty": 4.4, "mean_kld": 0.00189, "mean_kld_uncertainty": 0.00005,
        "median_kld": 0.0013, "kld_90": 0.004, "kld_99": 0.009, "kld_999": 0.02, "max_kld": 0.05, "same_top": 0.9505, "perplexity_ratio": 1.002,
        "split": {"weights": 0.0017, "activations": {"mean_kld": 0.0002}, "kv_q8": -1e-6}, "split_uncertainty": {"weights": 0.0001},
        "kld_histogram": {"log10_edges": [-4, -3, -2, -1], "counts": [100, 1900, 40]}, "unknown": [1, 2]}
        """

    static func evaluation(_ text: String) throws -> EvaluationResult { try EvaluationResult(json: Array(text.utf8), name: "e.json") }
}
