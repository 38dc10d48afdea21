import Generation
import Inference
import Kernels
import ModelFiles
import Tensors
import TestSupport
import Tokenization

/// The bundled checkpoint as a storage type, ready to run.
struct TinyModel {
    let model: LlamaModel
    let tokenizer: Tokenizer

    init(_ type: StorageType) throws {
        let reader = try ModelFileReader(path: try BundledModel.file(type))
        model = try LlamaModel(reader: reader)
        tokenizer = try Tokenizer(modelFile: reader, vocabulary: model.shape.vocabulary)
    }

    func session(
        context: Int = 512, batch: Int = 64, allLogits: Bool = false, logitRows: Int = 1, element: KeyValueCache.Element = .f16,
        precision: ProductPrecision = .exact, threads: Int = 2, kernels: KernelSet? = nil
    ) throws -> LlamaSession {
        try LlamaSession(
            model: model, context: context, batch: batch, allLogits: allLogits, logitRows: logitRows, element: element,
            precision: precision, kernels: try kernels ?? KernelSet.selected(), pool: WorkerPool(threads: threads))
    }
}
