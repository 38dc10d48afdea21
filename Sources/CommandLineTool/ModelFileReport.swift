import Architectures
import Conversion
import ModelFiles
import StrictJSON
import Tensors

/// What `inspect` shows of a `.quern` file.
struct ModelFileReport {
    private let file: ModelFileReader
    private let figures: ModelFigures
    private let listsTensors: Bool

    init(_ file: ModelFileReader, listsTensors: Bool) {
        self.file = file
        figures = ModelFigures(file.tensors.map { TensorFigures($0) })
        self.listsTensors = listsTensors
    }

    private var byType: [(type: StorageType, tensors: Int, weights: Int, bytes: UInt64)] {
        StorageType.allCases.compactMap { type in
            let tensors = figures.tensors.filter { $0.type == type }
            return tensors.isEmpty ? nil : (type, tensors.count, tensors.reduce(0) { $0 + $1.weights }, tensors.reduce(0) { $0 + $1.bytes })
        }
    }

    private var planLine: String {
        guard let plan = file.metadata.plan, let target = plan["target"]?.string, let basis = plan["basis"]?.string else { return "" }
        return "  types mixed  within \(target); sensitivities: \(basis)\n"
    }

    func show(json: Bool) throws {
        let shape = ShapeReport(configuration: try ErrorPresentation.naming(file.path) { try LlamaConfiguration(json: Array(file.metadata.config.utf8)) })
        if json { return showJSON(shape) }
        let metadata = file.metadata
        let options = metadata.options.members.map { "\($0.key) \($0.value.string ?? $0.value.text())" }.joined(separator: ", ")
        print("""
            \(file.path): a quern model file, version \(ModelFileHeader.version)
            \(shape.text)
              parameters   \(Quantities.count(figures.weights)) in \(figures.tensors.count) tensors
              size         \(Quantities.bytes(file.fileBytes)), \(Quantities.fixed(figures.bitsPerWeight, 3)) bits per weight
              SQNR         mean \(Quantities.decibels(figures.meanDecibels)), worst \(Quantities.decibels(figures.worstDecibels))\
            \(figures.worst(1).first.map { " (\($0.name))" } ?? "")
              written by   \(metadata.generator.name) \(metadata.generator.version)\(options.isEmpty ? "" : ": \(options)")\
            \(metadata.calibration.map { ", calibration \($0)" } ?? "")
            \(planLine)  tokenizer    \(file.tokenizer.files.map(\.name).joined(separator: ", "))
              chat format  \(ChatFormatReport(file).text)
            """)
        for source in metadata.sources { print("  made from    \(source.name)  \(source.bytes) bytes  sha256 \(source.sha256.hex)") }
        var table = TextTable(["type", "tensors", "weights", "bytes", "bits per weight"])
        for row in byType {
            table.add([
                row.type.name, "\(row.tensors)", Quantities.count(row.weights), "\(row.bytes)",
                Quantities.fixed(Double(row.bytes) * 8 / Double(row.weights), 3),
            ])
        }
        print("\n\(table.text)")
        if listsTensors { print("\n\(FiguresTable(figures).text)") }
    }

    private func showJSON(_ shape: ShapeReport) {
        let metadata = file.metadata
        var document: JSONObject = [
            "kind": "model_file", "path": JSONValue(file.path), "version": JSONValue(ModelFileHeader.version), "file_bytes": JSONValue(file.fileBytes),
            "shape": shape.json,
        ]
        for member in figures.jsonMembers.members { document.set(member.key.string, member.value) }
        document.set(
            "types",
            JSONValue(
                byType.map {
                    ["type": JSONValue($0.type.name), "tensors": JSONValue($0.tensors), "weights": JSONValue($0.weights), "bytes": JSONValue($0.bytes)]
                }))
        document.set("generator", ["name": JSONValue(metadata.generator.name), "version": JSONValue(metadata.generator.version)])
        document.set("options", JSONValue(metadata.options))
        document.set("plan", metadata.plan.map { JSONValue($0) } ?? .null)
        document.set("calibration", metadata.calibration.map { JSONValue($0) } ?? .null)
        document.set(
            "sources",
            JSONValue(metadata.sources.map { ["name": JSONValue($0.name), "bytes": JSONValue($0.bytes), "sha256": JSONValue($0.sha256.hex)] }))
        document.set("tokenizer", JSONValue(file.tokenizer.files.map { JSONValue($0.name) }))
        document.set("chat_format", ChatFormatReport(file).json)
        if listsTensors { document.set("tensors", JSONValue(figures.tensors.map(\.json))) }
        Terminal.document(document)
    }
}

/// Size and error of every tensor.
struct FiguresTable {
    let text: String

    init(_ figures: ModelFigures) {
        var table = TextTable(["tensor", "type", "rows", "columns", "bytes", "bpw", "rel. RMSE", "SQNR", "largest", "cosine", "to Shannon"])
        for tensor in figures.tensors {
            table.add([
                tensor.name, tensor.type.name, "\(tensor.rows)", "\(tensor.columns)", "\(tensor.bytes)", Quantities.fixed(tensor.bitsPerWeight, 3),
                Quantities.short(tensor.errors.relativeRMSE), Quantities.decibels(tensor.errors.sqnrDecibels), Quantities.short(tensor.errors.largest),
                Quantities.fixed(tensor.errors.cosine, 6), tensor.shannonDistance.map { Quantities.decibels($0) } ?? "-",
            ])
        }
        text = table.text
    }
}
