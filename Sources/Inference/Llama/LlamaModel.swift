package import Architectures
import ByteStorage
import Kernels
package import ModelFiles
import Tensors

/// A model file opened for running: its configuration and its weights, mapped.
package final class LlamaModel: Sendable {
    package let reader: ModelFileReader
    package let configuration: LlamaConfiguration
    package let shape: LlamaShape
    let weights: LlamaWeights
    let inverseFrequencies: [Float]

    package init(reader: ModelFileReader) throws {
        self.reader = reader
        let configuration = try LlamaConfiguration(json: Array(reader.metadata.config.utf8))
        self.configuration = configuration
        shape = LlamaShape(
            hidden: configuration.hiddenSize, inner: configuration.intermediateSize, layers: configuration.layers, heads: configuration.heads,
            keyValueHeads: configuration.keyValueHeads, headSize: configuration.headDimension, vocabulary: configuration.vocabulary,
            epsilon: Float(configuration.normEpsilon))
        weights = try LlamaWeights(reader: reader, configuration: configuration)
        inverseFrequencies = configuration.inverseFrequencies()
    }

    /// Where in the file the bytes lie that one pass reads: the layers and, last, the output head.
    package var weightRanges: [Range<Int>] {
        let head = weights.outputHead
        let start = head.bytes - reader.mapping.bytes.baseAddress!
        return weights.layerRanges + [start..<start + head.layout.byteCount]
    }
}
