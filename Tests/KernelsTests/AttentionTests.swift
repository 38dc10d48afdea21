import Glibc
import Kernels
import RandomNumbers
import TestSupport
import Testing

@Suite struct AttentionTests {
    /// A head's cache with random contents, and what was put in.
    private struct Sample {
        let memory: GuardedMemory
        let cache: HeadCache
        let keys, values: [[Float]]

        init(_ element: CacheElement, size: Int, positions: Int, with kernels: KernelSet) {
            var random = SplitMix64(seed: UInt64(size * 1000 + positions))
            memory = GuardedMemory(count: HeadCache.byteCount(context: positions, headSize: size, element: element))
            cache = HeadCache(memory: memory.base, context: positions, headSize: size, element: element)
            // Multiples of 2^-7 with a common largest value are the same in every element type: scales come out as 1 / 128.
            var rows: [[[Float]]] = []
            for _ in 0..<2 {
                rows.append((0..<positions).map { _ in
                    (0..<size).map { $0 % 32 == 5 || $0 == size - 1 ? 127.0 / 128 : Float(max(-127, min(127, (random.gaussian() * 50).rounded())) / 128) }
                })
            }
            (keys, values) = (rows[0], rows[1])
            for position in 0..<positions {
                let key = GuardedMemory(keys[position]), value = GuardedMemory(values[position])
                kernels.store(position: position, key: key.floats, value: value.floats, in: cache)
            }
        }
    }

    private func attend(
        _ cache: HeadCache, size: Int, queries: [[Float]], visible: [Int], pieces: [Range<Int>], scale: Float, with kernels: KernelSet
    ) -> [Float] {
        let width = HeadCache.width(headSize: size), count = queries.count
        let input = GuardedMemory(queries.flatMap { $0 + [Float](repeating: 0, count: width - size) })
        let seen = GuardedMemory(visible.map { Int32($0) })
        let scratch = GuardedMemory(count: 4 * KernelSet.attentionScratch(width: width))
        func state() -> (AttentionState, [GuardedMemory]) {
            let memory = [GuardedMemory(count: 4 * count), GuardedMemory(count: 4 * count), GuardedMemory(count: 4 * count * width)]
            let state = AttentionState(most: memory[0].floats, sum: memory[1].floats, mix: memory[2].floats)
            state.reset(count: count, width: width)
            return (state, memory)
        }
        let (total, memory) = state()
        for piece in pieces {
            let (part, partMemory) = state()
            kernels.attend(
                queries: input.floats, visible: seen.base.assumingMemoryBound(to: Int32.self), count: count, positions: piece, of: cache,
                scale: scale, scratch: scratch.floats, state: pieces.count == 1 ? total : part)
            if pieces.count > 1 { kernels.merge(part, into: total, count: count, width: width) }
            #expect(partMemory.allSatisfy { $0.isIntact })
        }
        kernels.finish(total, count: count, width: width)
        #expect(scratch.isIntact && memory.allSatisfy { $0.isIntact })
        let mix = memory[2].array(of: Float.self)
        return (0..<count).flatMap { Array(mix[$0 * width..<$0 * width + size]) }
    }

    @Test(arguments: CacheElement.allCases, [32, 64, 80, 128, 20])
    func matchesItsDefinition(element: CacheElement, size: Int) {
        var random = SplitMix64(seed: 7)
        let scale = Float(1 / Double(size).squareRoot())
        for positions in [1, 2, 15, 16, 17, 100, 255, 256, 257, 600] {
            let count = 11
            let queries = (0..<count).map { _ in random.gaussians(size).map { $0 * 4 } }
            let visible = (0..<count).map { max(1, positions - $0 * 7) }
            var common: [Float] = []
            for kernels in KernelSet.available.reversed() {
                let sample = Sample(element, size: size, positions: positions, with: kernels)
                #expect(sample.memory.isIntact)
                let note = "\(kernels.name), \(positions) positions"
                let got = attend(sample.cache, size: size, queries: queries, visible: visible, pieces: [0..<positions], scale: scale, with: kernels)
                if common.isEmpty { common = got }
                #expect(firstDifference(common, got) == nil, "\(note)")
                // Alone, and chunk by chunk, a query gets the same bits.
                for query in [0, 4, 10] {
                    let alone = attend(sample.cache, size: size, queries: [queries[query]], visible: [visible[query]], pieces: [0..<positions], scale: scale, with: kernels)
                    #expect(firstDifference(Array(got[query * size..<(query + 1) * size]), alone) == nil, "\(note), query \(query)")
                }
                let pieces = stride(from: 0, to: positions, by: KernelSet.attentionChunk).map { $0..<min($0 + KernelSet.attentionChunk, positions) }
                let merged = attend(sample.cache, size: size, queries: queries, visible: visible, pieces: pieces, scale: scale, with: kernels)
                #expect(firstDifference(got, merged) == nil, "\(note), in pieces")
                guard kernels.name == KernelSet.available[0].name else { continue }
                for query in 0..<count {
                    let scores = (0..<visible[query]).map { t in
                        (0..<size).reduce(0.0) { $0 + Double(queries[query][$1]) * Double(sample.keys[t][$1]) } * Double(scale)
                    }
                    let largest = scores.max()!
                    let weights = scores.map { exp($0 - largest) }, total = weights.reduce(0, +)
                    for i in 0..<size {
                        let expected = weights.indices.reduce(0.0) { $0 + weights[$1] * Double(sample.values[$1][i]) } / total
                        let value = Double(got[query * size + i])
                        #expect(abs(value - expected) <= 2e-5, "\(note), query \(query), value \(i): \(value), not \(expected)")
                    }
                }
            }
        }
    }
}
