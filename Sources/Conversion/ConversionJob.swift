import ByteStorage
import CalibrationFiles
import HostFacts
package import Kernels
package import ModelFiles
import Safetensors
import StrictJSON
import Synchronization
import Tensors

/// One conversion, from a checked plan to a finished file.
package final class ConversionJob: Sendable {
    package struct Progress: Sendable {
        /// Bytes of the source.
        package var bytes: UInt64
        package var total: UInt64
    }

    package struct Result: Sendable {
        package var fileBytes: UInt64
        package var sourceBytes: UInt64
        package var figures: ModelFigures
        package var sources: [ModelMetadata.Source]
        /// How many shards have a recorded digest, which was compared.
        package var comparedShards: Int
    }

    private enum Stage {
        case before
        case writing(ModelFileWriter)
        case finished
        case abandoned
    }

    package let plan: ConversionPlan
    package let output: String
    private let threads: Int
    private let kernels: KernelSet
    private let stage = Mutex(Stage.before)

    package init(plan: ConversionPlan, output: String, threads: Int, kernels: KernelSet) {
        self.plan = plan
        self.output = output
        self.threads = threads
        self.kernels = kernels
    }

    /// `progress` is called on the calling thread.
    package func run(progress: (Progress) -> Void) throws -> Result {
        let model = plan.model
        let records = DownloadRecords(folder: model.checkpoint.folder)
        let expected = model.checkpoint.shards.map { records.recordedSHA256(of: $0.name) }
        let writer = try start()
        do {
            let work = ConversionWork(
                plan: plan, writer: writer, feedback: FeedbackStore(plan: plan, kernels: kernels, threads: threads), expected: expected)
            try pipeline(work).run { progress(Progress(bytes: $0.bytes, total: $0.total)) }
            let sources = zip(model.checkpoint.shards, work.shardDigests).map { ModelMetadata.Source(name: $0.name, bytes: $0.size, sha256: $1) }
            let metadata = ModelMetadata(
                generator: ModelMetadata.Generator(name: ToolVersion.name, version: ToolVersion.text), options: plan.options, sources: sources,
                config: model.configText, generationConfig: model.generationConfigText, calibration: plan.weighting.calibration?.id.hex,
                plan: plan.planMetadata, tokenizerProbes: model.tokenizerProbes)
            guard let tokenizer = model.tokenizer else { preconditionFailure("a conversion needs the tokenizer") }
            let fileBytes = try writer.finish(metadata: metadata, tokenizer: tokenizer)
            stage.withLock { $0 = .finished }
            let reader = try ModelFileReader(path: output)
            return Result(
                fileBytes: fileBytes, sourceBytes: model.shardBytes, figures: ModelFigures(reader.tensors.map { TensorFigures($0) }),
                sources: sources, comparedShards: expected.count { $0 != nil })
        } catch {
            writer.discard()
            throw error
        }
    }

    /// Removes what was written so far, whatever the other threads are doing; the program must end then. False when the
    /// file is already finished. May be called from any thread.
    package func abandon() -> Bool {
        stage.withLock { stage in
            switch stage {
            case .finished: return false
            case .writing(let writer): writer.discard()
            case .before, .abandoned: break
            }
            stage = .abandoned
            return true
        }
    }

    /// Creates the temporary file. Inside the lock, so that it cannot be created and missed by `abandon`.
    private func start() throws -> ModelFileWriter {
        try stage.withLock { stage in
            guard case .before = stage else { throw ConversionError("\(output): the conversion was given up") }
            let writer = try ModelFileWriter(path: output, plan: plan.planned, extraReserve: plan.reserveBytes)
            stage = .writing(writer)
            return writer
        }
    }

    private func pipeline(_ work: ConversionWork) -> SlabPipeline {
        let tensors = zip(plan.model.tensors, plan.layout.tensors).map { tensor, record in
            SlabTensor(
                name: record.name, shard: tensor.found.shardIndex, byteOffset: tensor.found.byteOffset, layout: record.layout,
                source: tensor.source)
        }
        return SlabPipeline(
            files: plan.model.checkpoint.shards.map(\.file), tensors: tensors, work: work, kernels: kernels,
            limits: PipelineLimits(threads: threads, shards: plan.model.checkpoint.shards.count, tensors: tensors),
            dropsCache: plan.model.dropsCache)
    }
}

extension CheckpointModel {
    /// A checkpoint that would fill much of the memory is dropped from the page cache behind the reader, so that it does not
    /// drive everything else out. A small one stays: it may be read again.
    var dropsCache: Bool { shardBytes > MachineMemory().available / 2 }
}
