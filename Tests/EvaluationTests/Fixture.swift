import Conversion
import Generation
import Kernels
import LayerwiseInference
import ModelFiles
import Tensors
import TestSupport
import Tokenization

/// The bundled checkpoint as it is, and converted, layer by layer.
enum Fixture {
    static func checkpoint() throws -> CheckpointSource {
        let model = try CheckpointModel.open(folder: BundledModel.folder, withTokenizer: false)
        return try CheckpointSource(checkpoint: model.checkpoint, configuration: model.configuration, configText: model.configText, dropsCache: true)
    }

    static func reader(_ type: StorageType) throws -> ModelFileReader { try ModelFileReader(path: try BundledModel.file(type)) }

    static func source(_ type: StorageType, kernels: KernelSet? = nil) throws -> ModelFileSource {
        try ModelFileSource(reader: try reader(type), kernels: try kernels ?? KernelSet.selected(), dropsCache: true)
    }

    static func ids(of path: String) throws -> [Int32] {
        let tokenizer = try Tokenizer(modelFile: reader(.q8), vocabulary: 4096)
        return tokenizer.encode(try BundledModel.bytes(path), addBOS: true, parseSpecial: false)
    }
}
