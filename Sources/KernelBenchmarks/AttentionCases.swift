import Kernels

/// attend: one query head against a number of positions of one key-value head, whose rows lie between those of the other heads.
enum AttentionCases {
    static func cases(_ sizes: KernelSizes) -> [KernelCase] {
        let (size, stride) = (sizes.headSize, sizes.keyValueHeads * sizes.headSize)
        return [("f16", 2), ("f32", 4)].flatMap { name, elementBytes in
            sizes.positions.map { positions in
                KernelCase(
                    "attend \(name) \(positions) positions of \(size)", bytes: 2 * positions * size * elementBytes,
                    operations: 4 * positions * size
                ) {
                    let (keys, values) = (cache(positions * stride, elementBytes), cache(positions * stride, elementBytes))
                    let (query, out, scores) = (Memory(floats: size), Memory(bytes: size * 4), Memory(bytes: (positions + 16) * 4))
                    return {
                        $0.attend(
                            query: query.floats, keys: keys.base, values: values.base, isFloat32: elementBytes == 4, stride: stride,
                            count: positions, size: size, scale: 0.125, scores: scores.floats, into: out.floats)
                    }
                }
            }
        }
    }

    private static func cache(_ count: Int, _ elementBytes: Int) -> Memory {
        let floats = Memory(floats: count)
        guard elementBytes == 2 else { return floats }
        let halves = Memory(bytes: count * 2)
        KernelSet.available[0].narrow(floats.floats, count: count, into: halves.halves)
        return halves
    }
}
