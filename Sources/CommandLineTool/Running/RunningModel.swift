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
    @Option(help: "Compute threads. Default: the processors that this process may use.")
    var threads: Int?
    @Option(help: "Element type of the key-value cache: f16, q8 or f32. Default: f32 for files with f16 weights, else f16.")
    var kv: KeyValueCache.Element?
    @Flag(help: "Multiply long prompts by 4-bit weights exactly as single tokens are, instead of folding block scales into 8 bits first.")
    var exact = false

    func validate() throws {
        if let threads, !(1...1024).contains(threads) { throw ValidationError("--threads must be within 1...1024.") }
    }

    var threadCount: Int { threads ?? CPUFacts().defaultThreads }
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

    init(path: String, options: RunningOptions) throws {
        let kernels = try KernelSet.selected()
        MappingFaults.install(path: path)
        try self.init(path: path, kernels: kernels, pool: WorkerPool(threads: options.threadCount), element: options.kv, isExact: options.exact)
    }

    /// The same threads and kernels for a second model.
    init(path: String, beside other: RunningModel) throws {
        try self.init(path: path, kernels: other.kernels, pool: other.pool, element: nil, isExact: true)
    }

    init(path: String, kernels: KernelSet, pool: WorkerPool, element: KeyValueCache.Element?, isExact: Bool) throws {
        let reader = try ModelFileReader(path: path)
        let model = try ErrorPresentation.naming(path) { try LlamaModel(reader: reader, memoryBytes: MachineMemory().limit) }
        self.model = model
        tokenizer = try ErrorPresentation.naming(path) { try Tokenizer(modelFile: reader, vocabulary: model.shape.vocabulary) }
        self.kernels = kernels
        self.pool = pool
        self.element = element ?? Self.defaultElement(reader)
        precision = isExact ? .exact : .requantized
    }

    /// A file of unquantized weights is a reference: there the cache must not be what limits it.
    private static func defaultElement(_ reader: ModelFileReader) -> KeyValueCache.Element {
        reader.tensors.contains { $0.type.isQuantized } ? .f16 : .f32
    }

    /// `pool`: other threads than the model's own.
    func session(
        context: Int, batch: Int? = nil, allLogits: Bool = false, logitRows: Int = 1, pool: WorkerPool? = nil
    ) throws -> LlamaSession {
        try LlamaSession(
            model: model, context: context, batch: batch, allLogits: allLogits, logitRows: logitRows, element: element, precision: precision,
            kernels: kernels, pool: pool ?? self.pool)
    }
}
