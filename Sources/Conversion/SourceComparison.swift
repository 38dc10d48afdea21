import Architectures
import ByteStorage
package import Kernels
package import ModelFiles
import Quantization
import Safetensors
import StrictJSON
import Synchronization
import Tensors

/// Recomputes the error of every tensor of a model file from the checkpoint that it was made of.
package struct SourceComparison: Sendable {
    package struct Findings: Sendable {
        /// In file order, as recomputed.
        package var figures: ModelFigures
        /// One line for each shard or tensor that is not what the file says.
        package var differences: [String]
        /// Names of the tensors among them.
        package var tensors: [String]
    }

    package let file: ModelFileReader
    package let model: CheckpointModel

    /// Of a wrong checkpoint every tensor differs; this many are named.
    private static let mostFaults = 20

    /// Throws when the checkpoint does not hold the file's tensors at all.
    package init(file: ModelFileReader, model: CheckpointModel) throws {
        self.file = file
        self.model = model
        let sources = Dictionary(uniqueKeysWithValues: model.tensors.map { (JSONString($0.expected.name), $0) })
        var faults: [String] = []
        for record in file.tensors {
            let name = JSONString(record.name)
            guard let source = sources[name] else {
                faults.append("\(model.checkpoint.folder): tensor \(name.quoted) is missing, but the file holds it")
                continue
            }
            if (source.rows, source.columns) != (record.rows, record.columns) || source.source != record.sourceType {
                faults.append(
                    "\(model.checkpoint.folder): tensor \(name.quoted) is \(source.rows) x \(source.columns) of \(source.source.name), "
                        + "but the file was made from \(record.rows) x \(record.columns) of \(record.sourceType.name)")
            }
        }
        let held = Set(file.tensors.map { JSONString($0.name) })
        faults += model.tensors.filter { !held.contains(JSONString($0.expected.name)) }.map {
            "\(file.path): tensor \(JSONString.quoted($0.expected.name)) is missing, but the checkpoint holds it"
        }
        let more = faults.count - Self.mostFaults
        if more > 0 { faults = faults.prefix(Self.mostFaults) + ["and \(more) more"] }
        if !faults.isEmpty { throw ConversionError(faults + ["give the folder of the checkpoint that the file was made from"]) }
    }

    package func run(threads: Int, kernels: KernelSet, progress: (ConversionJob.Progress) -> Void) throws -> Findings {
        let sources = Dictionary(uniqueKeysWithValues: model.tensors.map { (JSONString($0.expected.name), $0) })
        // The file's tensors in its own order, so that the index of a tensor is that of its record.
        let ordered = file.tensors.map { sources[JSONString($0.name)]! }
        let tensors = zip(ordered, file.tensors).map { tensor, record in
            SlabTensor(
                name: record.name, shard: tensor.found.shardIndex, byteOffset: tensor.found.byteOffset, layout: record.layout,
                source: tensor.source)
        }
        let work = ComparisonWork(file: file, stored: try ReadableFile(path: file.path), tensors: ordered, model: model)
        try SlabPipeline(
            files: model.checkpoint.shards.map(\.file), tensors: tensors, work: work, kernels: kernels,
            limits: PipelineLimits(threads: threads, shards: model.checkpoint.shards.count, tensors: tensors), dropsCache: model.dropsCache
        ).run { progress(ConversionJob.Progress(bytes: $0.bytes, total: $0.total)) }
        return work.findings()
    }
}

/// Measures each slab against the stored panels.
private final class ComparisonWork: SlabWork {
    /// The digests of the file are checked before.
    let digestsStored = false
    private let file: ModelFileReader
    private let stored: ReadableFile
    private let tensors: [CheckpointModel.Tensor]
    private let model: CheckpointModel
    private let state: Mutex<State>

    private struct State {
        var sums: [ErrorSums?]
        var shards: [Int: String] = [:]
    }

    init(file: ModelFileReader, stored: ReadableFile, tensors: [CheckpointModel.Tensor], model: CheckpointModel) {
        self.file = file
        self.stored = stored
        self.tensors = tensors
        self.model = model
        state = Mutex(State(sums: tensors.map { _ in nil }))
    }

    func process(
        _ slab: Slab, source: UnsafeRawBufferPointer, stored buffer: UnsafeMutableRawBufferPointer, encoder: PanelEncoder
    ) throws -> [ErrorSums] {
        let index = slab.tensor!
        let (tensor, record) = (tensors[index], file.tensors[index])
        let panelBytes = encoder.layout.panelBytes
        // Read, not mapped: mapped pages would count as resident memory.
        try stored.read(into: buffer, at: record.offset + UInt64(slab.panels.lowerBound * panelBytes))
        let rows = SourceRows(file: model.shardName(of: tensor), tensor: tensor, slab: slab, bytes: source)
        return try slab.panels.map { panel in
            let place = buffer.baseAddress! + (panel - slab.panels.lowerBound) * panelBytes
            return try rows.measure(panel, encoder, stored: place, grids: record.grids)
        }
    }

    func finishTensor(_ index: Int, digest: Digest32, sums: ErrorSums) { state.withLock { $0.sums[index] = sums } }

    func finishShard(_ index: Int, digest: Digest32) throws {
        let shard = model.checkpoint.shards[index]
        guard let recorded = file.metadata.sources.first(where: { JSONString($0.name) == JSONString(shard.name) }) else {
            return note(index, "\(shard.name): the file was not made from a shard of this name")
        }
        if recorded.sha256 != digest {
            note(index, "\(shard.name): its SHA-256 is \(digest.hex), but the file was made from a shard with \(recorded.sha256.hex)")
        }
    }

    private func note(_ shard: Int, _ line: String) { state.withLock { $0.shards[shard] = line } }

    func findings() -> SourceComparison.Findings {
        let state = state.withLock { $0 }
        var lines = state.shards.sorted { $0.key < $1.key }.map(\.value)
        var names: [String] = []
        var figures: [TensorFigures] = []
        for (record, sums) in zip(file.tensors, state.sums) {
            guard let sums else { preconditionFailure("tensor '\(record.name)' was not measured") }
            figures.append(TensorFigures(record, errors: sums))
            guard let difference = Self.difference(recorded: record.errors, recomputed: sums) else { continue }
            names.append(record.name)
            lines.append("tensor \(JSONString.quoted(record.name)): \(difference)")
        }
        return SourceComparison.Findings(figures: ModelFigures(figures), differences: lines, tensors: names)
    }

    /// The first figure that is not the same to the last bit.
    private static func difference(recorded: ErrorSums, recomputed: ErrorSums) -> String? {
        let figures: [(String, KeyPath<ErrorSums, Double>)] = [
            ("the sum of squares of the source", \.signal), ("the sum of squared errors", \.noise), ("the largest error", \.largest),
            ("the sum of squares of the stored values", \.stored), ("the product of source and stored values", \.product),
            ("the worst row's ratio", \.worstRowRatio),
        ]
        for (name, path) in figures where recorded[keyPath: path] != recomputed[keyPath: path] {
            return "\(name) is \(recomputed[keyPath: path]), but the file records \(recorded[keyPath: path])"
        }
        return recorded.worstRow == recomputed.worstRow ? nil : "the worst row is \(recomputed.worstRow), but the file records \(recorded.worstRow)"
    }
}
