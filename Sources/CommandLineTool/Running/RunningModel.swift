import ArgumentParser
import Generation
import HostFacts
import Inference
import Kernels
import ModelFiles
import Tensors
import Tokenization

/// Options of every command that runs a model.
struct RunningOptions: ParsableArguments {
    @Option(help: "Compute threads. Default: the cores that this process may use.")
    var threads: Int?
    @Option(help: "Element type of the key-value cache: f16, q8 or f32. Default: f32 for files with f16 weights, else f16.")
    var kv: KeyValueCache.Element?
    @Flag(help: "Multiply long prompts by 4-bit weights exactly as single tokens are, instead of folding block scales into 8 bits first.")
    var exact = false

    @Option(
        help: ArgumentHelp(
            "Memory for weights, in GB. Default: what is free. The rest of a larger file is read from disk in every pass.", valueName: "gb"))
    var resident: Double?
    @Flag(help: "Lock the weights in memory, so that the system cannot take their pages for something else.") var lock = false

    func validate() throws {
        if let resident, !(resident >= 0 && resident < 1e9) { throw ValidationError("--resident must be 0 or more.") }
        if let threads, !(1...1024).contains(threads) { throw ValidationError("--threads must be within 1...1024.") }
    }

    func pool() -> WorkerPool { WorkerPool(runningOn: threads) }
}

extension WorkerPool {
    /// As a model runs: where cores have several hardware threads, each compute thread stays on a core of its own.
    ///
    /// - Parameter threads: nil for one on each core that this process may use.
    convenience init(runningOn threads: Int?) {
        let cpu = CPUFacts()
        self.init(threads: threads ?? cpu.computeThreads, places: cpu.computePlaces)
    }
}

extension CacheElement: ExpressibleByArgument {}

/// A model file with its tokenizer, kernels and threads: everything but a session.
struct RunningModel {
    let model: LlamaModel
    let tokenizer: Tokenizer
    let kernels: KernelSet
    let pool: WorkerPool
    let element: KeyValueCache.Element
    let precision: ProductPrecision
    private let placement: WeightPlacement

    init(path: String, options: RunningOptions) throws {
        let kernels = try KernelSet.selected()
        MappingFaults.install(path: path)
        try self.init(
            path: path, kernels: kernels, pool: options.pool(), element: options.kv, isExact: options.exact,
            placement: WeightPlacement(options))
    }

    /// The same threads and kernels for a second model.
    init(path: String, beside other: RunningModel) throws {
        try self.init(path: path, kernels: other.kernels, pool: other.pool, element: nil, isExact: true, placement: other.placement)
    }

    init(
        path: String, kernels: KernelSet, pool: WorkerPool, element: KeyValueCache.Element?, isExact: Bool,
        placement: WeightPlacement = WeightPlacement()
    ) throws {
        let reader = try ModelFileReader(path: path)
        let model = try ErrorPresentation.naming(path) { try LlamaModel(reader: reader) }
        self.model = model
        tokenizer = try ErrorPresentation.naming(path) { try Tokenizer(modelFile: reader, vocabulary: model.shape.vocabulary) }
        self.kernels = kernels
        self.pool = pool
        self.placement = placement
        self.element = element ?? Self.defaultElement(reader)
        precision = isExact ? .exact : .requantized
    }

    /// A file of unquantized weights is a reference: there the cache must not be what limits it.
    private static func defaultElement(_ reader: ModelFileReader) -> KeyValueCache.Element {
        reader.tensors.contains { $0.type.isQuantized } ? .f16 : .f32
    }

    /// - Parameters:
    ///   - pool: other threads than the model's own.
    ///   - note: gets a line about how the weights are kept, when that is worth knowing.
    func session(
        context: Int, batch: Int? = nil, allLogits: Bool = false, logitRows: Int = 1, pool: WorkerPool? = nil,
        note: (String) -> Void = { _ in }
    ) throws -> LlamaSession {
        let plan = placement.plan(for: model, context: context, element: element)
        let session = try LlamaSession(
            model: model, context: context, batch: batch, allLogits: allLogits, logitRows: logitRows, element: element, precision: precision,
            kernels: kernels, pool: pool ?? self.pool)
        session.weightStream = try placement.apply(plan, to: model)
        if let text = placement.describe(plan) { note(text) }
        return session
    }
}
