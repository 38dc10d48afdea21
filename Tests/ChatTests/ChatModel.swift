import Generation
import Inference
import ModelFiles
import Tensors
import TestSupport
import Tokenization

/// The bundled checkpoint, opened once per test run.
enum ChatModel {
    static let shared = Result {
        let reader = try ModelFileReader(path: BundledModel.file(.q8))
        let model = try LlamaModel(reader: reader)
        return (model: model, tokenizer: try Tokenizer(modelFile: reader, vocabulary: model.shape.vocabulary))
    }
}
