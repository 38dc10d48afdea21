import Kernels
import Tensors

/// One forward pass as every thread runs it: the layers' phases with a barrier after each. All members are plain values and addresses, so that
/// nothing is allocated or reference-counted on the way.
///
/// Barriers per layer for few tokens: five. [norm, q k v] [rope, cache, attention] [o, residual] [norm, gate, up, SwiGLU] [down, residual]
/// For many tokens the norms and the cache writes are shared out, which takes three more; positions that are shared out take two more.
struct LlamaPass {
    let shape: LlamaShape
    let kernels: KernelSet
    let team: Team
    let model: Unmanaged<LlamaModel>
    let layers: UnsafePointer<LlamaLayerView>
    let outputNorm: UnsafePointer<Float>
    let outputHead: MatrixView
    let buffers: LlamaBuffers.View
    let cache: KeyValueCache.View
    /// [position][half head] each.
    let cosines, sines: UnsafePointer<Float>
    let precision: ProductPrecision
    /// Told how far the pass is.
    var weightStream: Unmanaged<WeightStream>?

    // The request. The tokens' embeddings are in `buffers.hidden`, or are to be looked up.
    var tokens: UnsafePointer<Int32>?
    var start = 0
    var count = 0
    var logits = 0..<0

    static let job: Team.Job = { context, thread in context.assumingMemoryBound(to: LlamaPass.self).pointee.run(thread) }

    private func run(_ thread: Int) {
        var phase = 0
        let mine = buffers.threads[thread]
        lookUp(thread, &phase)
        for layer in 0..<shape.layers {
            if thread == 0 { weightStream?._withUnsafeGuaranteedRef { $0.reached(unit: layer) } }
            let weights = layers + layer
            projectAttentionInput(weights, mine, thread, &phase)
            attend(layer, mine, thread, &phase)
            accumulate(weights.pointee.output, of: buffers.mixed, mine, thread, &phase)
            gateAndUp(weights, mine, thread, &phase)
            accumulate(weights.pointee.down, of: buffers.inner, mine, thread, &phase)
        }
        if thread == 0 { weightStream?._withUnsafeGuaranteedRef { $0.reached(unit: shape.layers) } }
        projectOutput(mine, thread, &phase)
    }

    /// hidden = embedding[token]. One token is looked up before the threads start.
    private func lookUp(_ thread: Int, _ phase: inout Int) {
        guard let tokens else { return }
        team.share(count, chunk: 1, phase: &phase, thread: thread) { range in
            for row in range {
                model._withUnsafeGuaranteedRef { kernels.row(Int(tokens[row]), of: $0.weights.embedding, into: buffers.hidden + row * buffers.hiddenStride) }
            }
        }
        team.barrier()
    }

    /// norm(hidden) of some tokens, ready for the products of this thread.
    private func normalized(
        _ weight: UnsafePointer<Float>, rows: Range<Int>, _ mine: LlamaBuffers.ThreadView, _ thread: Int, _ phase: inout Int
    ) -> ActivationView {
        if rows.count <= LlamaBuffers.redundantTokens {
            for row in rows { normalize(row, weight, into: mine.normed, at: row - rows.lowerBound, mine) }
            return mine.normed
        }
        team.share(rows.count, chunk: 4, phase: &phase, thread: thread) { range in
            for row in range { normalize(rows.lowerBound + row, weight, into: buffers.normed, at: row, mine) }
        }
        team.barrier()
        return buffers.normed
    }

    private func normalize(_ row: Int, _ weight: UnsafePointer<Float>, into out: ActivationView, at place: Int, _ mine: LlamaBuffers.ThreadView) {
        let values = out.values == nil ? mine.row : out.row(place)
        kernels.rmsNorm(buffers.hidden + row * buffers.hiddenStride, weight: weight, count: shape.hidden, epsilon: shape.epsilon, into: values)
        out.quantize(place, columns: 0..<shape.hidden, from: values, with: kernels)
    }

    /// query, key, value = q, k, v of norm(hidden)
    private func projectAttentionInput(
        _ weights: UnsafePointer<LlamaLayerView>, _ mine: LlamaBuffers.ThreadView, _ thread: Int, _ phase: inout Int
    ) {
        let x = normalized(weights.pointee.attentionNorm, rows: 0..<count, mine, thread, &phase)
        let (q, k, v) = (weights.pointee.query, weights.pointee.key, weights.pointee.value)
        let total = q.panels + k.panels + v.panels
        team.share(total, chunk: panelChunk(total), phase: &phase, thread: thread) { range in
            multiply(q, of: range, base: 0, x, into: buffers.query, stride: buffers.queryStride, mine)
            multiply(k, of: range, base: q.panels, x, into: buffers.key, stride: buffers.keyStride, mine)
            multiply(v, of: range, base: q.panels + k.panels, x, into: buffers.value, stride: buffers.keyStride, mine)
        }
        team.barrier()
    }

    /// The part of `range` that falls on this matrix, whose panel 0 counts as `base`.
    private func multiply(
        _ matrix: MatrixView, of range: Range<Int>, base: Int, _ x: ActivationView, into out: UnsafeMutablePointer<Float>, stride: Int,
        _ mine: LlamaBuffers.ThreadView
    ) {
        let lower = max(range.lowerBound - base, 0), upper = min(range.upperBound - base, matrix.panels)
        guard lower < upper else { return }
        matrix.multiply(
            panels: lower..<upper, by: x, tokens: count, precision: precision, scratch: mine.tiles, into: out + lower * PanelLayout.rowsPerPanel,
            stride: stride)
    }

    /// hidden += matrix x
    private func accumulate(_ matrix: MatrixView, of x: ActivationView, _ mine: LlamaBuffers.ThreadView, _ thread: Int, _ phase: inout Int) {
        let size = unit(matrix.panels)
        let units = (matrix.panels + size - 1) / size
        team.share(units, chunk: chunk(units), phase: &phase, thread: thread) { range in
            for unit in range {
                let panels = unit * size..<min((unit + 1) * size, matrix.panels)
                let first = panels.lowerBound * PanelLayout.rowsPerPanel, stride = panels.count * PanelLayout.rowsPerPanel
                matrix.multiply(panels: panels, by: x, tokens: count, precision: precision, scratch: mine.tiles, into: mine.product, stride: stride)
                for token in 0..<count {
                    kernels.add(mine.product + token * stride, to: buffers.hidden + token * buffers.hiddenStride + first, count: min(stride, matrix.rows - first))
                }
            }
        }
        team.barrier()
    }

    /// inner = silu(gate x) * up x, x = norm(hidden)
    private func gateAndUp(_ weights: UnsafePointer<LlamaLayerView>, _ mine: LlamaBuffers.ThreadView, _ thread: Int, _ phase: inout Int) {
        let x = normalized(weights.pointee.feedForwardNorm, rows: 0..<count, mine, thread, &phase)
        let (gate, up) = (weights.pointee.gate, weights.pointee.up)
        let size = unit(gate.panels)
        let units = (gate.panels + size - 1) / size
        team.share(units, chunk: chunk(units), phase: &phase, thread: thread) { range in
            for unit in range {
                // A unit's rows are a multiple of 32, so its products become the next activations at once.
                let panels = unit * size..<min((unit + 1) * size, gate.panels)
                let first = panels.lowerBound * PanelLayout.rowsPerPanel, stride = panels.count * PanelLayout.rowsPerPanel
                gate.multiply(panels: panels, by: x, tokens: count, precision: precision, scratch: mine.tiles, into: mine.product, stride: stride)
                up.multiply(panels: panels, by: x, tokens: count, precision: precision, scratch: mine.tiles, into: mine.second, stride: stride)
                let rows = min(stride, gate.rows - first)
                for token in 0..<count {
                    let values = mine.product + token * stride
                    kernels.swiglu(gate: values, up: mine.second + token * stride, count: rows)
                    emit(values, columns: first..<first + rows, of: token, to: buffers.inner)
                }
            }
        }
        team.barrier()
    }

    /// Some columns of a token's activations, in the forms that the next product may read.
    func emit(_ values: UnsafePointer<Float>, columns: Range<Int>, of token: Int, to rows: ActivationView) {
        if rows.values != nil { (rows.row(token) + columns.lowerBound).update(from: values, count: columns.count) }
        rows.quantize(token, columns: columns, from: values, with: kernels)
    }

    /// logits = head(norm(hidden)) of the rows asked for
    private func projectOutput(_ mine: LlamaBuffers.ThreadView, _ thread: Int, _ phase: inout Int) {
        guard !logits.isEmpty else { return }
        let x = normalized(outputNorm, rows: logits, mine, thread, &phase)
        team.share(outputHead.panels, chunk: panelChunk(outputHead.panels), phase: &phase, thread: thread) { range in
            outputHead.multiply(
                panels: range, by: x, tokens: logits.count, precision: precision, scratch: mine.tiles,
                into: buffers.logits + range.lowerBound * PanelLayout.rowsPerPanel, stride: buffers.logitsStride)
        }
    }

    /// Of a matrix with so many panels, those whose products a thread keeps to itself before they go on.
    private func unit(_ panels: Int) -> Int {
        if count <= LlamaBuffers.tokensPerHeadItem { return LlamaBuffers.panelsPerUnit }
        return panels >= LlamaBuffers.panelsPerTile * team.threads * 8 ? LlamaBuffers.panelsPerTile : LlamaBuffers.panelsPerSmallTile
    }

    /// What a thread takes at a time: small enough that a thread which stalls leaves little behind.
    private func chunk(_ count: Int) -> Int { max(1, count / (team.threads * 16)) }

    /// The same in panels, of which the kernels take four side by side.
    private func panelChunk(_ panels: Int) -> Int { (chunk(panels) + 3) / 4 * 4 }
}
