package import Architectures

/// What a tensor's relative squared error costs the model, per tensor, in the order of the model's tensors. Only the ratios count.
package struct TensorSensitivities: Sendable, Equatable {
    /// Where the numbers come from; stands in the plan's output and in the file.
    package let basis: String
    package let values: [Double]

    /// Values measured with calibration data.
    package init(basis: String, values: [Double]) {
        precondition(values.allSatisfy { $0.isFinite && $0 >= 0 }, "sensitivities are finite and not negative")
        self.basis = basis
        self.values = values
    }

    /// Without any data, by kind of tensor and depth.
    ///
    /// A layer's matrices act one after the other on the same signal, so a relative error of one of them is about as large a relative error of what the
    /// layer adds to the residual, whatever the matrix's size: each counts about alike, and small ones (keys and values of grouped-query attention) deserve
    /// more bits per weight. The first layers make up most of the residual that all others work on (its share falls as the residual grows), and nothing
    /// after the last ones evens their errors out. The error of the output head falls on every logit undamped, that of the embedding on the
    /// residual before any layer. The factors are rounded from noise put into one tensor at a time of a trained model of 8 layers, where
    /// 2 times more or less in any of them changes the loss of a plan by a few percent.
    package init(estimatedFor tensors: [ExpectedTensor], tied: Bool) {
        basis = "estimate without data, by kind of tensor and depth"
        let layers = (tensors.compactMap(\.layer).max() ?? 0) + 1
        let ends = max(1, layers / 16)
        values = tensors.map { tensor in
            let depth = tensor.layer.map { $0 < ends ? Self.firstLayers : $0 >= layers - ends ? Self.lastLayers : 1 } ?? 1
            return depth * Self.factor(tensor.role, tied: tied)
        }
    }

    private static let firstLayers = 5.0, lastLayers = 1.5

    private static func factor(_ role: TensorRole, tied: Bool) -> Double {
        switch role {
        case .query, .attentionOutput, .gate: 0.8
        case .key, .value, .down: 1
        case .up: 0.5
        case .tokenEmbedding: tied ? 16 + 80 : 16
        case .outputHead: 80
        case .attentionNorm, .feedForwardNorm, .outputNorm: 0
        }
    }
}
