import Kernels

/// attend: the queries of a group, or of several tokens of one, against a number of positions of one key-value head.
enum AttentionCases {
    static func cases(_ sizes: KernelSizes) -> [KernelCase] {
        let size = sizes.headSize, width = HeadCache.width(headSize: size)
        return CacheElement.allCases.flatMap { element in
            sizes.positions.flatMap { positions in
                [1, 8, 64].map { queries in
                    KernelCase(
                        "attend \(element) \(queries) queries \(positions) positions of \(size)",
                        bytes: HeadCache.byteCount(context: positions, headSize: size, element: element), operations: 4 * positions * size * queries
                    ) {
                        // Zeros, except that scales and halves of random bits could be anything.
                        let memory = Memory(bytes: HeadCache.byteCount(context: positions, headSize: size, element: element))
                        let cache = HeadCache(memory: memory.base, context: positions, headSize: size, element: element)
                        let row = Memory(floats: size)
                        for position in 0..<positions {
                            KernelSet.available[0].store(position: position, key: row.floats, value: row.floats, in: cache)
                        }
                        let (input, visible) = (Memory(floats: queries * width), Memory(bytes: queries * 4))
                        let seen = visible.base.assumingMemoryBound(to: Int32.self)
                        for query in 0..<queries { seen[query] = Int32(positions) }
                        let scratch = Memory(bytes: KernelSet.attentionScratch(width: width) * 4)
                        let state = (Memory(bytes: queries * 4), Memory(bytes: queries * 4), Memory(bytes: queries * width * 4))
                        let attention = AttentionState(most: state.0.floats, sum: state.1.floats, mix: state.2.floats)
                        return { kernels in
                            withExtendedLifetime((memory, state)) {
                                attention.reset(count: queries, width: width)
                                kernels.attend(
                                    queries: input.floats, visible: seen, count: queries, positions: 0..<positions, of: cache, scale: 0.125,
                                    scratch: scratch.floats, state: attention)
                            }
                        }
                    }
                }
            }
        }
    }
}
