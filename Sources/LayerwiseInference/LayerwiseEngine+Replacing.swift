package import Architectures

/// Quantizing with true sequential inputs: each linear layer is made for what the quantized layers before it, in the same layer too, feed it.
extension LayerwiseEngine {
    /// Takes the residual stream through one layer whose matrices are replaced on the way, in the order of execution.
    ///
    /// What a matrix reads is computed from the residual stream with the replacements so far, once for the moments and, where the stream goes
    /// on, once more: that costs time (the forward pass counts 1.6 times) and no memory beyond a few windows.
    ///
    /// - Parameters:
    ///   - weights: the layer as it is, commonly of a `CheckpointSource`.
    ///   - states: what the quantized model so far gives; behind the call, what it gives with this layer.
    ///   - hessians: whether the moments of an input hold its Hessian too.
    ///   - replace: gets an input's moments and gives the matrices that read it, in the order of `LayerWeights.subscript`, commonly
    ///     `StoredPanels` of what was just encoded.
    /// - Returns: the layer with its replacements.
    package func replace(
        _ weights: LayerWeights, on states: HiddenStates, arithmetic: LayerArithmetic = .floats, hessians: (LinearInput) -> Bool,
        with replace: (LinearInput, SecondMoments) throws -> [any PanelSource]
    ) throws -> LayerWeights {
        var weights = weights
        for input in LinearInput.ofLayer {
            let moments = SecondMoments(columns: input.columns(configuration), hessian: hessians(input))
            for tokens in groups(of: states) {
                let rows = try make(input, weights, arithmetic, states, tokens)
                moments.add(rows.floats, tokens: tokens.count, with: kernels, pool: pool)
            }
            weights[input] = try replace(input, moments)
            guard input == .attentionOutput || input == .down else { continue }
            for tokens in groups(of: states) {
                let rows = try make(input, weights, arithmetic, states, tokens)
                try accumulate(weights[input][0], rows, arithmetic, states, tokens)
            }
        }
        return weights
    }

    /// An input of the layer from the residual stream before the attention or, for the feed-forward part, behind it.
    private func make(
        _ input: LinearInput, _ weights: LayerWeights, _ arithmetic: LayerArithmetic, _ states: HiddenStates, _ tokens: Range<Int>
    ) throws -> LinearInputRows {
        switch input {
        case .queryKeyValue, .attentionOutput:
            try attentionInput(weights, arithmetic, states, tokens)
            if input == .queryKeyValue { return buffers.normed }
            try attention(weights, arithmetic, tokens.count)
            return buffers.mixed
        case .gateUp, .down:
            try feedForwardInput(weights, arithmetic, states, tokens)
            if input == .gateUp { return buffers.normed }
            try gateAndUp(weights, arithmetic, tokens.count)
            return buffers.inner
        case .outputHead: preconditionFailure("the output head is in no layer")
        }
    }
}
