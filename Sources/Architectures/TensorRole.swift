/// What a tensor does in a model.
package enum TensorRole: String, CaseIterable, Sendable {
    case tokenEmbedding
    case attentionNorm
    case query
    case key
    case value
    case attentionOutput
    case feedForwardNorm
    case gate
    case up
    case down
    case outputNorm
    case outputHead

    /// Norms are vectors and stay as they are; everything else is a matrix.
    package var isNorm: Bool { self == .attentionNorm || self == .feedForwardNorm || self == .outputNorm }
}

/// A tensor that a model must have.
package struct ExpectedTensor: Sendable, Equatable {
    /// The name in a Hugging Face checkpoint.
    package let name: String
    package let role: TensorRole
    /// Nil for tensors outside the layers.
    package let layer: Int?
    /// [rows, columns] = [outputs, inputs], or [length].
    package let shape: [Int]

    package init(name: String, role: TensorRole, layer: Int?, shape: [Int]) {
        self.name = name
        self.role = role
        self.layer = layer
        self.shape = shape
    }
}

/// A tensor that a checkpoint has.
package struct FoundTensor: Sendable, Equatable {
    package let name: String
    package let shape: [Int]
    package let dtypeName: String

    package init(name: String, shape: [Int], dtypeName: String) {
        self.name = name
        self.shape = shape
        self.dtypeName = dtypeName
    }
}
