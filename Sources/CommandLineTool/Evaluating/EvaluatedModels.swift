import Architectures
import ByteStorage
import Conversion
import Evaluation
import Generation
import HostFacts
import Inference
import Kernels
import LayerwiseInference
import ModelFiles
import Tensors
import Tokenization

/// A `.quern` file opened for evaluation.
struct EvaluatedFile {
    let reader: ModelFileReader
    let source: ModelFileSource
    let tokenizer: Tokenizer
    /// A file of unquantized weights is a reference: there the cache must not be what limits it.
    var defaultElement: KeyValueCache.Element { reader.tensors.contains { $0.type.isQuantized } ? .f16 : .f32 }

    init(path: String, kernels: KernelSet) throws {
        MappingFaults.install(path: path)
        let reader = try ModelFileReader(path: path)
        self.reader = reader
        source = try ErrorPresentation.naming(path) {
            try ModelFileSource(reader: reader, kernels: kernels, dropsCache: reader.fileBytes > MachineMemory().obtainable / 2)
        }
        let vocabulary = source.configuration.vocabulary
        tokenizer = try ErrorPresentation.naming(path) { try Tokenizer(modelFile: reader, vocabulary: vocabulary) }
    }
}

/// What a file is compared with: its original in f32, or another file as it runs.
struct EvaluatedReference {
    let variant: EvaluatedVariant
    /// For the reader of the figures, when the reference is not what the file was made from.
    let note: String?

    init(path: String, of own: EvaluatedFile, kernels: KernelSet) throws {
        if Folders.kind(of: path) == .folder {
            let model = try CheckpointModel.open(folder: path, withTokenizer: false)
            let source = try CheckpointSource(model)
            variant = EvaluatedVariant(model: source, arithmetic: .floats)
            let made = own.reader.metadata.sources.map { "\($0.name) \($0.bytes)" }.sorted()
            let found = source.shards.map { "\($0.name) \($0.bytes)" }.sorted()
            note = made == found && own.reader.metadata.config == model.configText
                ? nil : "\(path) is not the checkpoint that \(own.reader.path) was made from: config or shards differ"
        } else {
            let other = try EvaluatedFile(path: path, kernels: kernels)
            variant = EvaluatedVariant(model: other.source, arithmetic: LayerArithmetic(products: .int8(.exact), cache: other.defaultElement))
            note = nil
        }
        let (found, expected) = (variant.model.configuration.vocabulary, own.source.configuration.vocabulary)
        guard found == expected else {
            throw ConversionError("\(path): vocabulary of \(found) tokens, \(own.reader.path) has \(expected); give a file of the same model")
        }
    }
}

/// The ways of computing a file that are evaluated together.
struct EvaluationStages {
    struct Step {
        /// In JSON, and as people read it.
        let key, name: String
        /// Positions in `variants`; nil for the reference itself.
        let before: Int?
        let after: Int
    }

    private(set) var variants: [EvaluatedVariant] = []
    /// The variant that the main figures are of.
    private(set) var main = 0
    private(set) var steps: [Step] = []
    let element: KeyValueCache.Element

    init(file: EvaluatedFile, element: KeyValueCache.Element?, isExact: Bool, split: Bool) {
        let element = element ?? file.defaultElement
        self.element = element
        let precision: ProductPrecision = isExact ? .exact : .requantized
        let asRun = LayerArithmetic(products: .int8(precision), cache: element)
        func place(_ arithmetic: LayerArithmetic) -> Int {
            if let index = variants.firstIndex(where: { $0.arithmetic == arithmetic }) { return index }
            variants.append(EvaluatedVariant(model: file.source, arithmetic: arithmetic))
            return variants.count - 1
        }
        guard split else {
            main = place(asRun)
            return
        }
        let weights = place(.floats)
        steps.append(Step(key: "weights", name: "weights alone", before: nil, after: weights))
        var last = place(LayerArithmetic(products: .int8(.exact), cache: .f16))
        steps.append(Step(key: "activations", name: "int8 activations, f16 cache", before: weights, after: last))
        if !isExact {
            let folded = place(LayerArithmetic(products: .int8(.requantized), cache: .f16))
            steps.append(Step(key: "folding", name: "folded block scales", before: last, after: folded))
            last = folded
        }
        steps.append(Step(key: "kv_q8", name: "q8 instead of f16 cache", before: last, after: place(LayerArithmetic(products: .int8(precision), cache: .q8))))
        main = place(asRun)
    }
}
