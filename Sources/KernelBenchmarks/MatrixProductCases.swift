import Glibc
import Kernels
import Quantization
import Tensors

/// matmul: some panels by some tokens. "cache": the same panels each time; "memory": the next ones of a matrix larger than any cache.
enum MatrixProductCases {
    static func cases(_ sizes: KernelSizes) -> [KernelCase] {
        let types: [StorageType] = [.q4, .q4s, .q8, .q6, .q5, .q3, .f16]
        return types.flatMap { type in
            sizes.tokens.flatMap { tokens in
                precisions(type, tokens).flatMap { precision in
                    [("cache", sizes.cachedBytes), ("memory", sizes.streamedBytes)].map { place, bytes in
                        let panelBytes = PanelLayout(type: type, rows: 16, columns: sizes.columns)!.panelBytes
                        // An even number: kernels may take two at a time.
                        let panels = max(2, sizes.cachedBytes / panelBytes / 2 * 2)
                        let slices = max(1, bytes / (panels * panelBytes))
                        return KernelCase(
                            "matmul \(type) \(panels * 16)x\(sizes.columns) \(tokens) tokens \(place)\(precision == .requantized ? " requantized" : "")", bytes: panels * panelBytes,
                            operations: 2 * panels * 16 * sizes.columns * tokens
                        ) {
                            let (matrix, memory) = matrix(type, panels: panels * slices, columns: sizes.columns)
                            let activations = activations(tokens, columns: sizes.columns)  // by name of the set
                            let stride = panels * slices * 16
                            let out = Memory(bytes: stride * 4 * tokens)
                            let scratch = Memory(bytes: MatrixView.scratchBytes)
                            let rotation = Rotation(slices)
                            return { kernels in
                                let first = rotation.next() * panels
                                // The matrix does not own its bytes.
                                withExtendedLifetime(memory) {
                                    MatrixView(matrix, kernels: kernels).multiply(
                                        panels: first..<first + panels, by: activations[kernels.name]!.view, tokens: tokens, precision: precision,
                                        scratch: scratch.base, into: out.floats + 16 * first, stride: stride)
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    private static func precisions(_ type: StorageType, _ tokens: Int) -> [ProductPrecision] {
        type.traits.usesGrids && tokens >= MatrixView.tokensForRequantizing ? [.exact, .requantized] : [.exact]
    }

    /// The same encoded panel over and over, in memory that goes with the matrix.
    private static func matrix(_ type: StorageType, panels: Int, columns: Int) -> (matrix: StoredMatrix, memory: Memory) {
        let layout = PanelLayout(type: type, rows: panels * 16, columns: columns)!
        let memory = Memory(bytes: layout.byteCount)
        let weights = Memory(floats: layout.paddedColumns * 16)
        KernelSet.available[0].encode(weights.floats, layout: layout, grids: DefaultGrids.tables(for: type), into: memory.base)
        for panel in 1..<panels { memcpy(memory.base + panel * layout.panelBytes, memory.base, layout.panelBytes) }
        let bytes = UnsafeRawBufferPointer(start: memory.base, count: layout.byteCount)
        return (StoredMatrix(layout: layout, bytes: bytes, grids: PanelEncoder.gridBytes(for: type)), memory)
    }

    private static func activations(_ tokens: Int, columns: Int) -> [String: ActivationRows] {
        let values = Memory(floats: columns)
        return Dictionary(uniqueKeysWithValues: KernelSet.available.map { kernels in
            let rows = ActivationRows(tokens: tokens, columns: columns)
            for token in 0..<tokens {
                memcpy(rows.row(token), values.base, columns * 4)
                rows.quantize(token, with: kernels)
            }
            return (kernels.name, rows)
        })
    }
}
