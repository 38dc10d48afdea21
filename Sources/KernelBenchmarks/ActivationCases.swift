import Kernels

/// What happens to activations between the matrix products, one token's row at a time.
enum ActivationCases {
    static func cases(_ sizes: KernelSizes) -> [KernelCase] {
        let count = sizes.columns
        return [
            KernelCase("quantize_activations \(count)", bytes: count * 4 + count + count / 32 * 4 + count / 16 * 4) {
                let rows = ActivationRows(tokens: 1, columns: count)
                let values = Memory(floats: count)
                rows.row(0).update(from: values.floats, count: count)
                return { rows.quantize(0, with: $0) }
            },
            KernelCase("rms_norm \(count)", bytes: count * 12, operations: count * 4) {
                let (x, weight, out) = (Memory(floats: count), Memory(floats: count), Memory(bytes: count * 4))
                return { $0.rmsNorm(x.floats, weight: weight.floats, count: count, epsilon: 1e-5, into: out.floats) }
            },
            KernelCase("add \(count)", bytes: count * 12, operations: count) {
                let (x, y) = (Memory(floats: count), Memory(bytes: count * 4))
                return { $0.add(y.floats, to: x.floats, count: count) }
            },
            KernelCase("swiglu \(count)", bytes: count * 12) {
                let (gate, up, one) = (Memory(floats: count), Memory(bytes: count * 4), Float(1))
                for index in 0..<count { up.floats[index] = one }
                return { $0.swiglu(gate: gate.floats, up: up.floats, count: count) }
            },
            KernelCase("rotate \(sizes.headSize)", bytes: sizes.headSize * 12, operations: sizes.headSize * 3) {
                let (head, half) = (Memory(floats: sizes.headSize), sizes.headSize / 2)
                let (cosines, sines) = (Memory(bytes: half * 4), Memory(bytes: half * 4))
                for index in 0..<half { cosines.floats[index] = 1 }
                return { $0.rotate(head.floats, cosines: cosines.floats, sines: sines.floats, half: half) }
            },
            KernelCase("narrow_f16 \(count)", bytes: count * 6) {
                let (x, out) = (Memory(floats: count), Memory(bytes: count * 2))
                return { $0.narrow(x.floats, count: count, into: out.halves) }
            },
        ]
    }
}
