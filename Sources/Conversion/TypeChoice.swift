package import Architectures
package import Tensors

/// Which storage type each kind of tensor gets.
///
/// The output head decides over every next token and is a small part of a large model, so with a type of fewer than 8 bits it gets q8. Rows
/// of the embedding are only looked up, one per token, so they get the asked type; a tied embedding is the output head as well.
package struct TypeChoice: Sendable, Equatable {
    package static let choices: [StorageType] = [.q4, .q4s, .q3, .q5, .q6, .q8, .f16]

    package let matrices: StorageType
    package let embedding: StorageType
    package let output: StorageType

    /// Nil means the default.
    package init(_ type: StorageType, embedding: StorageType? = nil, output: StorageType? = nil, tied: Bool) {
        let head = output ?? ((1..<8).contains(type.traits.codeBits) ? .q8 : type)
        matrices = type
        self.output = tied ? embedding ?? head : head
        self.embedding = tied ? self.output : embedding ?? type
    }

    package func type(for role: TensorRole) -> StorageType {
        switch role {
        case .tokenEmbedding: embedding
        case .outputHead: output
        default: role.isNorm ? .f32 : matrices
        }
    }
}
