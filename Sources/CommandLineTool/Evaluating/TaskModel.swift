import Architectures
import ByteStorage
import Conversion
import Generation
import HostFacts
import Inference
import Kernels
import LayerwiseInference
import ModelFiles
import TaskData
import TaskScores
import Tokenization

/// A model that answers questions: a `.quern` file as it runs, or an original checkpoint in f32, layer by layer.
struct TaskModel {
    /// The name of its file or folder.
    let name: String
    let path: String
    let identity: Digest32
    let tokenizer: Tokenizer
    let contextLength: Int
    let vocabulary: Int
    /// How it computes, as far as figures depend on it.
    let arithmetic: String
    /// The configuration and the shards that the weights come from, with their sizes.
    let origin: [String]
    private let makeScorer: (_ context: Int, _ tail: Int) throws -> any QuestionScorer

    /// - Parameter tokenizer: of the model that is compared with this one; both read the same tokens.
    init(path: String, options: TaskModelOptions, tokenizer: Tokenizer? = nil) throws {
        self.path = path
        name = Self.name(of: path)
        let kernels = try KernelSet.selected(), pool = options.pool
        if Folders.kind(of: path) == .folder {
            let model = try CheckpointModel.open(folder: path, withTokenizer: false)
            let source = try CheckpointSource(model)
            guard let tokenizer else { preconditionFailure("a checkpoint is only compared with") }
            (self.tokenizer, identity) = (tokenizer, source.identity)
            (contextLength, vocabulary) = (model.configuration.contextLength, model.configuration.vocabulary)
            arithmetic = "f32, layer by layer"
            origin = [model.configText] + source.shards.map { "\($0.name) \($0.bytes)" }.sorted()
            makeScorer = { _, _ in LayerwiseScorer(model: source, arithmetic: .floats, budget: options.budget, kernels: kernels, pool: pool) }
            return
        }
        MappingFaults.install(path: path)
        let running = try RunningModel(path: path, kernels: kernels, pool: pool, element: options.element, isExact: options.isExact)
        self.tokenizer = tokenizer ?? running.tokenizer
        (contextLength, vocabulary) = (running.model.configuration.contextLength, running.model.shape.vocabulary)
        let reader = running.model.reader
        let source = try ErrorPresentation.naming(path) {
            try ModelFileSource(reader: reader, kernels: kernels, dropsCache: reader.fileBytes > MachineMemory().obtainable / 2)
        }
        identity = source.identity
        origin = [reader.metadata.config] + reader.metadata.sources.map { "\($0.name) \($0.bytes)" }.sorted()
        if WeightPlacement().plan(for: running.model, context: 4096, element: running.element).streams {
            // One pass over the file for many questions, not for one.
            arithmetic = "as it runs, \(running.element) cache, exact products, layer by layer"
            let how = LayerArithmetic(products: .int8(.exact), cache: running.element)
            makeScorer = { _, _ in LayerwiseScorer(model: source, arithmetic: how, budget: options.budget, kernels: kernels, pool: pool) }
        } else {
            arithmetic = "as it runs, \(running.element) cache, \(running.precision == .exact ? "exact" : "folded") products"
            makeScorer = { context, tail in
                SessionScorer(session: try running.session(context: context, logitRows: max(1, min(SessionScorer.logitRows, tail))), kernels: kernels)
            }
        }
    }

    /// - Parameters:
    ///   - context: positions of the longest question.
    ///   - tail: tokens of the longest choice.
    func scorer(context: Int, tail: Int) throws -> any QuestionScorer { try makeScorer(context, tail) }

    private static func name(of path: String) -> String {
        let last = path.split(separator: "/").last.map(String.init) ?? path
        return last.hasSuffix(".quern") ? String(last.dropLast(6)) : last
    }
}

/// What the command line says about how models compute.
struct TaskModelOptions {
    var element: KeyValueCache.Element?
    var isExact: Bool
    var budget: Int
    var pool: WorkerPool
}
