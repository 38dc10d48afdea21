package import Architectures
import ByteStorage
package import ModelFiles
package import Safetensors
import StrictJSON
package import Tensors
import Tokenization
package import TokenizerProbes

/// A checkpoint folder that holds a complete model: every shard open, every tensor in its place, the tokenizer tried.
package struct CheckpointModel: Sendable {
    package struct Tensor: Sendable {
        package let expected: ExpectedTensor
        package let found: CheckpointTensor
        package let source: SourceType

        /// A vector has one column.
        package var rows: Int { expected.shape[0] }
        package var columns: Int { expected.shape.count == 2 ? expected.shape[1] : 1 }
    }

    package let checkpoint: Checkpoint
    package let configuration: LlamaConfiguration
    package let configText: String
    package let generationConfigText: String?
    /// In execution order.
    package let tensors: [Tensor]
    /// Nil when it was not asked for.
    package let tokenizer: TokenizerArchive?
    /// What it makes of built-in texts.
    package let tokenizerProbes: [TokenizerProbe]
    /// The chat format to record; nil where the checkpoint's template says enough, or nothing is known.
    package let chatFormat: RecordedChatFormat?
    /// Oddities that do no harm.
    package let notes: [String]

    package var parameterCount: Int { tensors.reduce(0) { $0 + $1.rows * $1.columns } }
    package var shardBytes: UInt64 { checkpoint.shards.reduce(0) { $0 + $1.size } }

    /// What the tensor is multiplied by; nil for norms and an embedding that is not the output head, too.
    func input(of tensor: Tensor) -> LinearInput? { LinearInput(role: tensor.expected.role, tied: configuration.tiesEmbeddings) }

    func shardName(of tensor: Tensor) -> String { checkpoint.shards[tensor.found.shardIndex].name }

    package static let generationConfig = "generation_config.json"
    private static let largestSmallFile: UInt64 = 16 << 20

    /// Tokens of context that a run has where none are asked for. 4096 where the config cannot be read.
    package static func defaultContext(folder: String) -> Int {
        var faults: [String] = []
        let configuration = text(LlamaConfiguration.fileName, in: folder, faults: &faults).flatMap { try? LlamaConfiguration(json: Array($0.utf8)) }
        return configuration?.defaultContext ?? LlamaConfiguration.mostDefaultContext
    }

    /// Opens and checks everything; throws one error with all that is wrong.
    package static func open(folder: String, withTokenizer: Bool = true) throws -> CheckpointModel {
        var faults: [String] = []
        guard let model = open(folder: folder, withTokenizer: withTokenizer, faults: &faults) else { throw ConversionError(faults) }
        return model
    }

    /// Nil when a fault was found; all of them are added to `faults`.
    ///
    /// - Parameter chatFormat: to record instead of what the checkpoint says; needs the tokenizer.
    package static func open(folder: String, withTokenizer: Bool = true, chatFormat: String? = nil, faults: inout [String]) -> CheckpointModel? {
        let earlier = faults.count
        func fault(_ line: String) -> String { "\(folder): \(line)" }
        var checkpoint: Checkpoint?
        do throws(CheckpointError) { checkpoint = try Checkpoint.open(folder: folder) } catch { faults += error.faults.map(fault) }
        // Without the folder, or the right to look into it, everything else is missing too, which says nothing new.
        guard Folders.kind(of: folder) == .folder, Folders.isReadable(folder) else { return nil }

        var configuration: LlamaConfiguration?
        let config = text(LlamaConfiguration.fileName, in: folder, faults: &faults)
        if let config {
            do throws(ArchitectureError) { configuration = try LlamaConfiguration(json: Array(config.utf8)) } catch {
                faults += error.faults.map { fault("\(error.subject): \($0)") }
            }
        } else if faults.count == earlier || Folders.kind(of: "\(folder)/\(LlamaConfiguration.fileName)") == .missing {
            faults.append(fault("\(LlamaConfiguration.fileName): missing; download it with the shards"))
        }
        var generation: String?
        if Folders.kind(of: "\(folder)/\(generationConfig)") != .missing { generation = text(generationConfig, in: folder, faults: &faults) }

        var notes = checkpoint?.notes ?? []
        var tensors: [Tensor] = []
        if let checkpoint, let configuration {
            let found = checkpoint.tensors.map { FoundTensor(name: $0.name, shape: $0.shape, dtypeName: $0.dtypeName) }
            let check = LlamaTensors.check(configuration, found: found)
            faults += check.faults.map(fault)
            notes += check.notes
            tensors = check.matches.compactMap { match in
                let found = checkpoint.tensors[match.foundIndex]
                return found.source.map { Tensor(expected: match.expected, found: found, source: $0) }
            }
        }
        var archive: TokenizerArchive?
        var probes: [TokenizerProbe] = []
        if withTokenizer {
            var source = TokenizerSource(folder: folder)
            archive = source.read(vocabulary: configuration?.vocabulary, config: config, generationConfig: generation)
            probes = source.probes
            faults += source.faults.map(fault)
            notes += source.notes
        }
        let chat = archive.flatMap { archive in config.map { ChatFormatCheck(folder: folder, archive: archive, config: $0, asked: chatFormat) } }
        if let note = chat?.note { notes.append(note) }
        faults += (chat?.faults ?? []).map(fault)
        guard faults.count == earlier, let checkpoint, let configuration, let config else { return nil }
        return CheckpointModel(
            checkpoint: checkpoint, configuration: configuration, configText: config, generationConfigText: generation, tensors: tensors,
            tokenizer: archive, tokenizerProbes: probes, chatFormat: chat?.recorded, notes: notes)
    }

    /// Nil when the file is missing or when there is a fault with it, which is added.
    private static func text(_ name: String, in folder: String, faults: inout [String]) -> String? {
        let path = "\(folder)/\(name)"
        guard Folders.kind(of: path) != .missing else { return nil }
        do throws(FileError) {
            let bytes = try ReadableFile(path: path).readAll(limit: largestSmallFile)
            if let text = String(validating: bytes, as: UTF8.self) { return text }
            faults.append("\(folder): \(name): not valid UTF-8; download it again")
        } catch { faults.append("\(error)") }
        return nil
    }
}
