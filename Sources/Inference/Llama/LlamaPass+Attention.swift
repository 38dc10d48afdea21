import Kernels

/// Rope, cache writes and attention. The queries of a key-value head's group share its keys and values.
extension LlamaPass {
    private var group: Int { shape.heads / shape.keyValueHeads }
    private var scale: Float { 1 / Float(shape.headSize).squareRoot() }

    /// mixed = attention(rope(query), rope(key), value)
    func attend(_ layer: Int, _ mine: LlamaBuffers.ThreadView, _ thread: Int, _ phase: inout Int) {
        if count <= LlamaBuffers.tokensPerHeadItem {
            // A key-value head's positions are written by the thread that reads them.
            team.share(shape.keyValueHeads, chunk: 1, phase: &phase, thread: thread) { heads in
                for head in heads {
                    let cache = cache.head(layer: layer, head: head)
                    store(head, tokens: 0..<count, in: cache)
                    answer(head, tokens: 0..<count, cache, mine)
                }
            }
        } else {
            team.share(count, chunk: 4, phase: &phase, thread: thread) { tokens in
                for head in 0..<shape.keyValueHeads { store(head, tokens: tokens, in: cache.head(layer: layer, head: head)) }
            }
            team.barrier()
            let size = max(1, LlamaBuffers.queriesPerItem / group)
            let tiles = (count + size - 1) / size
            team.share(tiles * shape.keyValueHeads, chunk: 1, phase: &phase, thread: thread) { items in
                for item in items {
                    let (head, tile) = item.quotientAndRemainder(dividingBy: tiles)
                    answer(head, tokens: tile * size..<min((tile + 1) * size, count), cache.head(layer: layer, head: head), mine)
                }
            }
        }
        team.barrier()
    }

    /// Keys and values of some tokens into the cache.
    private func store(_ head: Int, tokens: Range<Int>, in cache: HeadCache) {
        for token in tokens {
            let key = buffers.key + token * buffers.keyStride + head * shape.headSize
            rotate(key, token: token)
            kernels.store(position: start + token, key: key, value: buffers.value + token * buffers.keyStride + head * shape.headSize, in: cache)
        }
    }

    private func rotate(_ values: UnsafeMutablePointer<Float>, token: Int) {
        let half = shape.headSize / 2
        kernels.rotate(values, cosines: cosines + (start + token) * half, sines: sines + (start + token) * half, half: half)
    }

    /// Attention of all query heads of a key-value head for some tokens.
    private func answer(_ head: Int, tokens: Range<Int>, _ cache: HeadCache, _ mine: LlamaBuffers.ThreadView) {
        let size = shape.headSize, width = HeadCache.width(headSize: size)
        let queries = tokens.count * group
        for token in tokens {
            for member in 0..<group {
                let row = (token - tokens.lowerBound) * group + member
                let query = mine.queries + row * width
                query.update(from: buffers.query + token * buffers.queryStride + (head * group + member) * size, count: size)
                rotate(query, token: token)
                (query + size).update(repeating: 0, count: width - size)
                mine.visible[row] = Int32(start + token + 1)
            }
        }
        mine.attention.reset(count: queries, width: width)
        kernels.attend(
            queries: mine.queries, visible: mine.visible, count: queries, positions: 0..<start + tokens.upperBound, of: cache, scale: scale,
            scratch: mine.attentionScratch, state: mine.attention)
        kernels.finish(mine.attention, count: queries, width: width)
        for token in tokens {
            let rows = mine.attention.mix + (token - tokens.lowerBound) * group * width
            if width != size {  // close the gaps between the heads
                for member in 1..<max(group, 1) { (rows + member * size).update(from: rows + member * width, count: size) }
            }
            emit(rows, columns: head * group * size..<(head + 1) * group * size, of: token, to: buffers.mixed)
        }
    }
}
