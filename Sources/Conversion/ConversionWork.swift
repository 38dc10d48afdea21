import ModelFiles
import Quantization
import Safetensors
import StrictJSON
import Synchronization
import Tensors

/// Encodes each slab and writes it to its place.
final class ConversionWork: SlabWork {
    let digestsStored = true
    private let plan: ConversionPlan
    private let writer: ModelFileWriter
    private let feedback: FeedbackStore
    /// As the download recorded them, per shard.
    private let expected: [String?]
    private let found: Mutex<[Digest32?]>

    init(plan: ConversionPlan, writer: ModelFileWriter, feedback: FeedbackStore, expected: [String?]) {
        self.plan = plan
        self.writer = writer
        self.feedback = feedback
        self.expected = expected
        found = Mutex(plan.model.checkpoint.shards.map { _ in nil })
    }

    var shardDigests: [Digest32] { found.withLock { $0.compactMap { $0 } } }

    func process(
        _ slab: Slab, source: UnsafeRawBufferPointer, stored: UnsafeMutableRawBufferPointer, encoder: PanelEncoder
    ) throws -> [ErrorSums] {
        let tensor = plan.model.tensors[slab.tensor!]
        let rows = SourceRows(file: plan.model.shardName(of: tensor), tensor: tensor, slab: slab, bytes: source)
        let panelBytes = encoder.layout.panelBytes
        let all: [ErrorSums]
        if let feedback = try feedback.feedback(for: slab.tensor!) {
            all = try rows.encode(encoder, feedback: feedback, into: stored.baseAddress!)
        } else {
            all = try slab.panels.map { panel in
                try rows.encode(panel, encoder, into: stored.baseAddress! + (panel - slab.panels.lowerBound) * panelBytes)
            }
        }
        for (panel, sums) in zip(slab.panels, all) where !sums.largest.isFinite {
            throw rows.tooLarge(in: panel, for: encoder.layout.type)
        }
        try writer.writeTensorBytes(
            index: slab.tensor!, offsetInTensor: UInt64(slab.panels.lowerBound * panelBytes), bytes: UnsafeRawBufferPointer(stored))
        return all
    }

    func finishTensor(_ index: Int, digest: Digest32, sums: ErrorSums) {
        writer.setDigest(index: index, sha256: digest, errors: sums)
        writer.startWriteback(index: index)
    }

    func finishShard(_ index: Int, digest: Digest32) throws {
        if let expected = expected[index], expected != digest.hex {
            throw ConversionError(
                "\(plan.model.checkpoint.shards[index].name): the download recorded SHA-256 \(expected), but the file has \(digest.hex); "
                    + "it is damaged or was changed: download it again")
        }
        found.withLock { $0[index] = digest }
    }
}
