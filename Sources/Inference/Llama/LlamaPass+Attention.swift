import Kernels

/// Rope, cache writes and attention. The queries of a key-value head's group share its keys and values.
extension LlamaPass {
    private var group: Int { shape.heads / shape.keyValueHeads }
    private var scale: Float { 1 / Float(shape.headSize).squareRoot() }

    /// Whether a group's results end inside a block of 32 activations (heads of 100, for example): blocks are then made when all heads are done.
    private var blocksCrossGroups: Bool { shape.headSize * group % 32 != 0 }

    /// mixed = attention(rope(query), rope(key), value)
    func attend(_ layer: Int, _ mine: LlamaBuffers.ThreadView, _ thread: Int, _ phase: inout Int) {
        if count <= LlamaBuffers.redundantTokens, buffers.chunkCount > 0, start + count > KernelSet.attentionChunk {
            attendInChunks(layer, mine, thread, &phase)
        } else if count <= LlamaBuffers.tokensPerHeadItem {
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
        guard blocksCrossGroups else { return }
        team.share(count, chunk: 1, phase: &phase, thread: thread) { tokens in
            for token in tokens { emit(buffers.query + token * buffers.queryStride, columns: 0..<shape.heads * shape.headSize, of: token, to: buffers.mixed) }
        }
        team.barrier()
    }

    /// For few tokens where threads outnumber key-value heads: the positions are shared out, too. A chunk's state is what it is alone, and the chunks
    /// of a head are joined in order, so the bits are those of one thread going over all of them.
    private func attendInChunks(_ layer: Int, _ mine: LlamaBuffers.ThreadView, _ thread: Int, _ phase: inout Int) {
        let width = HeadCache.width(headSize: shape.headSize), queries = count * group, size = KernelSet.attentionChunk
        let chunks = (start + count + size - 1) / size
        team.share(shape.keyValueHeads, chunk: 1, phase: &phase, thread: thread) { heads in
            for head in heads { store(head, tokens: 0..<count, in: cache.head(layer: layer, head: head)) }
        }
        team.barrier()
        team.share(shape.keyValueHeads * chunks, chunk: 1, phase: &phase, thread: thread) { items in
            for item in items {
                let (head, chunk) = item.quotientAndRemainder(dividingBy: chunks)
                let state = chunkState(head, chunk, queries, width)
                prepareQueries(of: head, tokens: 0..<count, mine)
                state.reset(count: queries, width: width)
                kernels.attend(
                    queries: mine.queries, visible: mine.visible, count: queries, positions: chunk * size..<min((chunk + 1) * size, start + count),
                    of: cache.head(layer: layer, head: head), scale: scale, scratch: mine.attentionScratch, state: state)
            }
        }
        team.barrier()
        team.share(shape.keyValueHeads, chunk: 1, phase: &phase, thread: thread) { heads in
            for head in heads {
                mine.attention.reset(count: queries, width: width)
                for chunk in 0..<chunks { kernels.merge(chunkState(head, chunk, queries, width), into: mine.attention, count: queries, width: width) }
                finish(head, tokens: 0..<count, mine)
            }
        }
    }

    private func chunkState(_ head: Int, _ chunk: Int, _ queries: Int, _ width: Int) -> AttentionState {
        let first = (head * buffers.chunkCount + chunk) * queries
        return AttentionState(most: buffers.chunks.most + first, sum: buffers.chunks.sum + first, mix: buffers.chunks.mix + first * width)
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
        let width = HeadCache.width(headSize: shape.headSize), queries = tokens.count * group
        prepareQueries(of: head, tokens: tokens, mine)
        mine.attention.reset(count: queries, width: width)
        kernels.attend(
            queries: mine.queries, visible: mine.visible, count: queries, positions: 0..<start + tokens.upperBound, of: cache, scale: scale,
            scratch: mine.attentionScratch, state: mine.attention)
        finish(head, tokens: tokens, mine)
    }

    /// The queries of a key-value head's group, turned, and how far each sees.
    private func prepareQueries(of head: Int, tokens: Range<Int>, _ mine: LlamaBuffers.ThreadView) {
        let size = shape.headSize, width = HeadCache.width(headSize: size)
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
    }

    /// The state of a head's queries, which has seen every position, becomes a part of `mixed`.
    private func finish(_ head: Int, tokens: Range<Int>, _ mine: LlamaBuffers.ThreadView) {
        let size = shape.headSize, width = HeadCache.width(headSize: size)
        kernels.finish(mine.attention, count: tokens.count * group, width: width)
        for token in tokens {
            let rows = mine.attention.mix + (token - tokens.lowerBound) * group * width
            if width != size {  // close the gaps between the heads
                for member in 1..<max(group, 1) { (rows + member * size).update(from: rows + member * width, count: size) }
            }
            let columns = head * group * size..<(head + 1) * group * size
            if blocksCrossGroups {
                // In place of the queries, which nobody reads any more.
                (buffers.query + token * buffers.queryStride + columns.lowerBound).update(from: rows, count: columns.count)
            } else {
                emit(rows, columns: columns, of: token, to: buffers.mixed)
            }
        }
    }
}
