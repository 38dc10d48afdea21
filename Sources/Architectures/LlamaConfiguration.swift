/// The numbers of a LLaMA model, checked against each other: products of any two fit easily in Int.
package struct LlamaConfiguration: Sendable, Equatable {
    package let hiddenSize: Int
    package let intermediateSize: Int
    package let layers: Int
    package let heads: Int
    package let keyValueHeads: Int
    package let headDimension: Int
    package let vocabulary: Int
    /// What the config says; a hint, since some fine-tuned models were trained longer than theirs admits.
    package let contextLength: Int
    package let normEpsilon: Double
    package let ropeTheta: Double
    package let ropeScaling: RopeScaling
    /// The output head is the embedding.
    package let tiesEmbeddings: Bool
    package let beginToken: Int?
    package let endTokens: [Int]
    package let paddingToken: Int?
    /// "float16" and the like, if given. Advisory: each tensor states its own type.
    package let dtypeName: String?

    package static let largestDimension = 1 << 24
    package static let mostLayers = 1024

    /// Rows of the query projection and columns of the attention output.
    package var queryRows: Int { heads * headDimension }
    /// Rows of the key and of the value projection.
    package var keyValueRows: Int { keyValueHeads * headDimension }

    package var parametersPerLayer: Int {
        hiddenSize * (2 * queryRows + 2 * keyValueRows + 3 * intermediateSize + 2)
    }

    package var parameterCount: Int {
        layers * parametersPerLayer + hiddenSize + (tiesEmbeddings ? 1 : 2) * vocabulary * hiddenSize
    }

    /// Values of K and V that one token adds to the cache, times the bytes of one.
    package func cacheBytesPerToken(bytesPerValue: Int = 2) -> Int { 2 * layers * keyValueRows * bytesPerValue }

    /// *Shapes*: headDimension / 2 values.
    package func inverseFrequencies() -> [Float] { ropeScaling.inverseFrequencies(theta: ropeTheta, dimension: headDimension) }
}
