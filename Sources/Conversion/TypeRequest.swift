package import Tensors

/// What the user asked for about storage types.
package struct TypeRequest: Sendable, Equatable {
    /// One type for the matrices of the layers, or the best mixture within a target.
    package enum Matrices: Sendable, Equatable {
        case all(StorageType)
        case mixed(PlanTarget)
    }

    /// A type for the tensors whose name contains `part`.
    package struct Pin: Sendable, Equatable {
        package let part: String
        package let type: StorageType

        package init(part: String, type: StorageType) {
            self.part = part
            self.type = type
        }
    }

    package var matrices: Matrices
    package var isMixed: Bool { if case .mixed = matrices { true } else { false } }
    package var embedding: StorageType?
    package var output: StorageType?
    /// Of several that fit a name the last one counts.
    package var pins: [Pin]

    package init(_ matrices: Matrices, embedding: StorageType? = nil, output: StorageType? = nil, pins: [Pin] = []) {
        self.matrices = matrices
        self.embedding = embedding
        self.output = output
        self.pins = pins
    }
}
