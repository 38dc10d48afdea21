package import Architectures
import ByteStorage
import Glibc
import Kernels
package import ModelFiles
package import Safetensors
import StrictJSON
import Tensors

/// A checkpoint in its own precision: rows are read from the shards and widened to f32.
package final class CheckpointSource: LayerwiseModel {
    package let configuration: LlamaConfiguration
    package let embedding: any PanelSource
    package let outputNorm: [Float]
    package let outputHead: any PanelSource
    package var path: String { checkpoint.folder }

    private let checkpoint: Checkpoint
    /// By layer, the output head and norm last.
    private let tensors: [[TensorRole: CheckpointMatrix]]
    private let dropsCache: Bool

    /// What a shard is known by, without reading all of it. The fingerprint is that of Formats/CalibrationFile.md, section 6.
    package struct Shard: Sendable, Equatable {
        package let name: String
        package let bytes: UInt64
        package let fingerprint: Digest32
    }
    package let configDigest: Digest32
    package let shards: [Shard]

    /// - Parameters:
    ///   - configText: the config.json that `configuration` was read from.
    ///   - dropsCache: whether layers that are done leave the page cache, for a checkpoint that is large beside the memory.
    package init(checkpoint: Checkpoint, configuration: LlamaConfiguration, configText: String, dropsCache: Bool) throws {
        configDigest = Digest32.of(Array(configText.utf8))
        shards = try checkpoint.shards.map { Shard(name: $0.name, bytes: $0.size, fingerprint: try Self.fingerprint($0.file)) }
        let found = checkpoint.tensors.map { FoundTensor(name: $0.name, shape: $0.shape, dtypeName: $0.dtypeName) }
        let check = LlamaTensors.check(configuration, found: found)
        guard check.faults.isEmpty else { throw LayerwiseError(path: checkpoint.folder, faults: check.faults) }
        var tensors = [[TensorRole: CheckpointMatrix]](repeating: [:], count: configuration.layers + 1)
        var embedding: CheckpointMatrix?
        for match in check.matches {
            let tensor = checkpoint.tensors[match.foundIndex]
            guard let source = tensor.source else { throw LayerwiseError(path: checkpoint.folder, "tensor '\(tensor.name)' is \(tensor.dtypeName)") }
            let shape = match.expected.shape
            let matrix = CheckpointMatrix(
                rows: shape[0], columns: shape.count == 2 ? shape[1] : 1, name: tensor.name, type: source,
                file: checkpoint.shards[tensor.shardIndex].file, offset: tensor.byteOffset)
            if match.expected.role == .tokenEmbedding { embedding = matrix }
            else { tensors[match.expected.layer ?? configuration.layers][match.expected.role] = matrix }
        }
        guard let embedding else { throw LayerwiseError(path: checkpoint.folder, "no embedding") }
        // A tied head is read, and dropped, as the embedding.
        if configuration.tiesEmbeddings { tensors[configuration.layers][.outputHead] = embedding }
        self.checkpoint = checkpoint
        self.configuration = configuration
        self.dropsCache = dropsCache
        self.embedding = embedding
        self.tensors = tensors
        outputHead = tensors[configuration.layers][.outputHead]!
        outputNorm = try tensors[configuration.layers][.outputNorm]!.vector()
    }

    package var identity: Digest32 {
        Digest32.of(configDigest.bytes + shards.flatMap { Array($0.name.utf8) + [0] + $0.fingerprint.bytes })
    }

    private static let fingerprintBlocks: UInt64 = 64, fingerprintBlock: UInt64 = 4096

    private static func fingerprint(_ file: ReadableFile) throws -> Digest32 {
        var digest = StreamingDigest()
        try withUnsafeTemporaryAllocation(byteCount: Int(fingerprintBlock), alignment: 64) { buffer in
            func add(_ range: Range<UInt64>) throws {
                let part = UnsafeMutableRawBufferPointer(rebasing: buffer[..<range.count])
                try file.read(into: part, at: range.lowerBound)
                digest.update(UnsafeRawBufferPointer(part))
            }
            withUnsafeBytes(of: file.size.littleEndian) { digest.update($0) }
            try add(0..<8)
            let header = 8 + UInt64(littleEndian: buffer.load(as: UInt64.self))
            for start in stride(from: 0, to: header, by: UInt64.Stride(fingerprintBlock)) { try add(start..<min(start + fingerprintBlock, header)) }
            let block = min(fingerprintBlock, file.size)
            for index in 0..<fingerprintBlocks {
                let start = (file.size - block) / (fingerprintBlocks - 1) * index
                try add(start..<start + block)
            }
        }
        return digest.finalize()
    }

    package func layer(_ index: Int) throws -> LayerWeights {
        let own = tensors[index]
        return LayerWeights(
            attentionNorm: try own[.attentionNorm]!.vector(), feedForwardNorm: try own[.feedForwardNorm]!.vector(), query: own[.query]!, key: own[.key]!,
            value: own[.value]!, output: own[.attentionOutput]!, gate: own[.gate]!, up: own[.up]!, down: own[.down]!)
    }

    package func willNeed(layer: Int) {
        for tensor in tensors[layer].values { tensor.file.willNeed(offset: tensor.offset, count: tensor.byteCount) }
    }

    package func finished(layer: Int) {
        guard dropsCache else { return }
        for tensor in tensors[layer].values { tensor.file.dropCache(offset: tensor.offset, count: tensor.byteCount) }
    }
}

/// A matrix, or a vector of one column, in a shard.
struct CheckpointMatrix: PanelSource {
    let rows, columns: Int
    let name: String
    let type: SourceType
    let file: ReadableFile
    let offset: UInt64

    var quantized: MatrixView? { nil }
    private var rowBytes: Int { columns * type.bytes }
    var byteCount: UInt64 { UInt64(rows) * UInt64(rowBytes) }

    func expand(panel: Int, with kernels: KernelSet, scratch: UnsafeMutableRawPointer, into out: UnsafeMutablePointer<Float>) throws {
        precondition(panel >= 0 && panel < panels, "panel \(panel) of \(panels)")
        try widen(16 * panel, count: min(16, rows - 16 * panel), with: kernels, scratch: scratch, into: out)
    }

    func row(_ row: Int, with kernels: KernelSet, scratch: UnsafeMutableRawPointer, into out: UnsafeMutablePointer<Float>) throws {
        precondition(row >= 0 && row < rows, "row \(row) of \(rows)")
        let panel = (scratch + 64 * columns).assumingMemoryBound(to: Float.self)
        try widen(row, count: 1, with: kernels, scratch: scratch, into: panel)
        for column in 0..<columns { out[column] = panel[16 * column] }
    }

    private func widen(
        _ first: Int, count: Int, with kernels: KernelSet, scratch: UnsafeMutableRawPointer, into out: UnsafeMutablePointer<Float>
    ) throws {
        try file.read(into: UnsafeMutableRawBufferPointer(start: scratch, count: count * rowBytes), at: offset + UInt64(first * rowBytes))
        do throws(NotFinite) { try kernels.widen(scratch, type, rows: count, columns: columns, padded: columns, into: out) } catch {
            throw LayerwiseError(
                path: file.path, "tensor \(JSONString.quoted(name)): the value at [\(first + error.row), \(error.column)] is not finite; download the checkpoint again")
        }
    }

    /// The values of a vector.
    func vector() throws -> [Float] {
        precondition(columns == 1, "'\(name)' is no vector")
        let kernels = try KernelSet.selected()
        var values = [Float](repeating: 0, count: panels * 16)
        try withUnsafeTemporaryAllocation(byteCount: 64, alignment: 64) { scratch in
            try values.withUnsafeMutableBufferPointer { values in
                for panel in 0..<panels { try expand(panel: panel, with: kernels, scratch: scratch.baseAddress!, into: values.baseAddress! + 16 * panel) }
            }
        }
        return Array(values.prefix(rows))
    }
}
