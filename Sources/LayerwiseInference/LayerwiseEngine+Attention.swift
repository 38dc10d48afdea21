import Architectures
import Kernels
import Tensors

/// Queries, keys and values, rope and causal attention inside each window.
extension LayerwiseEngine {
    /// mixed = attention of normed, for `count` tokens of whole windows
    func attention(_ weights: LayerWeights, _ arithmetic: LayerArithmetic, _ count: Int) throws {
        try project(weights, arithmetic, count)
        let heads = configuration.keyValueHeads
        try each(count / windowSize * heads, chunk: 1) { item, mine in
            let (window, head) = item.quotientAndRemainder(dividingBy: heads)
            attend(head, first: window * windowSize, arithmetic.cache, mine)
        }
        try packMixed(arithmetic, count)
    }

    /// query, key, value = q, k, v of normed
    func project(_ weights: LayerWeights, _ arithmetic: LayerArithmetic, _ count: Int) throws {
        try products([weights.query, weights.key, weights.value], by: buffers.normed, tokens: count, arithmetic) { matrix, panels in
            let first = panels.lowerBound * PanelLayout.rowsPerPanel
            return matrix == 0
                ? (buffers.query + first, buffers.queryStride) : ((matrix == 1 ? buffers.key : buffers.value) + first, buffers.keyStride)
        }
    }

    /// mixed = what the attention left in the queries' place
    func packMixed(_ arithmetic: LayerArithmetic, _ count: Int) throws {
        try each(count, chunk: 32) { token, _ in
            buffers.mixed.store(
                buffers.query + token * buffers.queryStride, columns: 0..<configuration.queryRows, token: token, arithmetic: arithmetic, with: kernels)
        }
    }

    /// One key-value head over one window, whose first token is `first`; the queries of its group are replaced by their results.
    private func attend(_ head: Int, first: Int, _ element: CacheElement, _ mine: LayerBuffers.ThreadMemory) {
        let size = configuration.headDimension
        let cache = HeadCache(memory: mine.cache, context: windowSize, headSize: size, element: element)
        for position in 0..<windowSize {
            let at = (first + position) * buffers.keyStride + head * size
            rotate(buffers.key + at, position)
            kernels.store(position: position, key: buffers.key + at, value: buffers.value + at, in: cache)
        }
        let step = max(1, LayerBuffers.queriesPerTile / (configuration.heads / configuration.keyValueHeads))
        for start in stride(from: 0, to: windowSize, by: step) { answer(head, first: first, positions: start..<min(start + step, windowSize), cache, mine) }
    }

    /// The queries of a key-value head's group at some positions of the text whose position 0 is token `first` of the buffers.
    func answer(_ head: Int, first: Int, positions: Range<Int>, _ cache: HeadCache, _ mine: LayerBuffers.ThreadMemory) {
        let size = configuration.headDimension, width = HeadCache.width(headSize: size), group = configuration.heads / configuration.keyValueHeads
        let place = { [buffers] (position: Int, member: Int) in buffers.query + (first + position) * buffers.queryStride + (head * group + member) * size }
        for position in positions {
            for member in 0..<group {
                let row = (position - positions.lowerBound) * group + member
                let query = mine.queries + row * width
                query.update(from: place(position, member), count: size)
                rotate(query, position)
                (query + size).update(repeating: 0, count: width - size)
                mine.visible[row] = Int32(position + 1)
            }
        }
        let queries = positions.count * group
        mine.attention.reset(count: queries, width: width)
        kernels.attend(
            queries: mine.queries, visible: mine.visible, count: queries, positions: 0..<positions.upperBound, of: cache,
            scale: 1 / Float(size).squareRoot(), scratch: mine.attentionScratch, state: mine.attention)
        kernels.finish(mine.attention, count: queries, width: width)
        for position in positions {
            for member in 0..<group {
                let row = (position - positions.lowerBound) * group + member
                place(position, member).update(from: mine.attention.mix + row * width, count: size)
            }
        }
    }

    func rotate(_ values: UnsafeMutablePointer<Float>, _ position: Int) {
        let half = configuration.headDimension / 2
        cosines.withUnsafeBufferPointer { cosines in
            sines.withUnsafeBufferPointer { sines in
                kernels.rotate(values, cosines: cosines.baseAddress! + position * half, sines: sines.baseAddress! + position * half, half: half)
            }
        }
    }
}
