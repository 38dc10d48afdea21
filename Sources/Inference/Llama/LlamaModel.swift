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
    private let readsAhead: Bool

    /// - Parameter memoryBytes: memory of the machine; a file that does not fit is read ahead layer by layer.
    package init(reader: ModelFileReader, memoryBytes: UInt64) throws {
        self.reader = reader
        let configuration = try LlamaConfiguration(json: Array(reader.metadata.config.utf8))
        self.configuration = configuration
        shape = LlamaShape(
            hidden: configuration.hiddenSize, inner: configuration.intermediateSize, layers: configuration.layers, heads: configuration.heads,
            keyValueHeads: configuration.keyValueHeads, headSize: configuration.headDimension, vocabulary: configuration.vocabulary,
            epsilon: Float(configuration.normEpsilon))
        weights = try LlamaWeights(reader: reader, configuration: configuration)
        inverseFrequencies = configuration.inverseFrequencies()
        readsAhead = reader.fileBytes > memoryBytes / 10 * 9
    }

    /// Where in the file the bytes lie that one token reads: the layers and the output head.
    package var weightRanges: [Range<Int>] {
        let head = weights.outputHead
        let start = head.bytes - reader.mapping.bytes.baseAddress!
        return weights.layerRanges + [start..<start + head.layout.byteCount]
    }

    /// Called before the layer in front of it is computed.
    func willRead(layer: Int) {
        guard readsAhead, layer < weights.layerRanges.count else { return }
        reader.mapping.willNeed(weights.layerRanges[layer])
    }
}
