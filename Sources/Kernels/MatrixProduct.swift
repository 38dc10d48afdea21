import CKernels
import Tensors

/// How products with many tokens treat 4-bit weights.
package enum ProductPrecision: Sendable {
    /// The same bits as a product with one token.
    case exact
    /// q4, on instruction sets where that is faster (AVX-512 with VNNI, AVX-VNNI, NEON): the blocks of 128 columns folded into 8-bit codes of a
    /// common scale first. Exact otherwise.
    case requantized
}

/// A matrix with the functions of one instruction set: what a compute thread needs and nothing that counts references.
/// The `StoredMatrix` must outlive it.
package struct MatrixView: @unchecked Sendable {  // Safe: nothing changes after init.
    package let rows, columns, panels, panelBytes: Int
    package let isQuantized: Bool
    let bytes: UnsafePointer<UInt8>
    let grids: UnsafePointer<UInt8>
    private let product: ck_matmul
    private let exactTiles, requantizedTiles: ck_tiles?

    /// From this many tokens on, panels are expanded to memory once instead of to registers once per few tokens.
    package static let tokensForTiles = Int(CK_FEW_TOKENS) + 1
    /// From this many tokens on, requantizing a panel costs less than it saves.
    package static let tokensForRequantizing = 48
    /// Bytes of scratch memory a thread needs, 64-byte aligned.
    package static let scratchBytes = Int(CK_TILE_SCRATCH)

    package init(_ matrix: StoredMatrix, kernels: KernelSet) {
        let layout = matrix.layout
        (rows, columns, panels, panelBytes) = (layout.rows, layout.columns, layout.panels, layout.panelBytes)
        isQuantized = layout.type.isQuantized
        bytes = matrix.bytes.assumingMemoryBound(to: UInt8.self)
        grids = UnsafePointer(matrix.grids)
        product = KernelSet.entry(kernels.table.pointee.matmul, layout.type, as: ck_matmul.self)
        exactTiles = KernelSet.entry(kernels.table.pointee.tiles, layout.type, as: ck_tiles?.self)
        requantizedTiles = KernelSet.entry(kernels.table.pointee.requantized_tiles, layout.type, as: ck_tiles?.self)
    }

    /// out[token][row - first row] = matrix[row] . activations[token] for the rows of the given panels.
    ///
    /// - *Shapes*: `out` starts at the first of these rows, `stride` floats apart per token, with room for whole panels (rows rounded up to 16).
    /// - *Layout*: quantized types read the int8 form of the activations, float types the floats.
    /// - *Threads*: calls for disjoint panels may run at once, each with its own scratch.
    /// - *Accuracy*: exact: the same bits on every instruction set and for any split into panels or tokens. Requantized: on every
    ///   instruction set that does it and for any split into panels, of calls with at least `tokensForRequantizing` tokens; below it is exact.
    package func multiply(
        panels range: Range<Int>, by x: ActivationView, tokens: Int, precision: ProductPrecision, scratch: UnsafeMutableRawPointer,
        into out: UnsafeMutablePointer<Float>, stride: Int
    ) {
        precondition(columns == x.columns, "\(columns) matrix columns, \(x.columns) activations")
        precondition(range.lowerBound >= 0 && range.upperBound <= panels, "panels \(range) of \(panels)")
        precondition(tokens >= 1 && tokens <= x.tokens, "\(tokens) tokens of \(x.tokens)")
        precondition(isQuantized || x.values != nil, "float activations wanted")
        let first = bytes + range.lowerBound * panelBytes
        if tokens >= Self.tokensForTiles, let exactTiles {
            let tiles = precision == .requantized && tokens >= Self.tokensForRequantizing ? requantizedTiles ?? exactTiles : exactTiles
            tiles(first, Int64(range.count), Int64(panelBytes), grids, x.raw, Int64(tokens), scratch, out, Int64(stride))
        } else {
            product(first, Int64(range.count), Int64(panelBytes), Int64(columns), grids, x.raw, Int64(tokens), out, Int64(stride))
        }
    }
}

extension KernelSet {
    /// One row of a matrix as floats: `layout.columns` of them.
    package func row(_ row: Int, of matrix: StoredMatrix, into out: UnsafeMutablePointer<Float>) {
        let layout = matrix.layout
        precondition(row >= 0 && row < layout.rows, "row \(row) of \(layout.rows)")
        let (panel, lane) = row.quotientAndRemainder(dividingBy: PanelLayout.rowsPerPanel)
        let decode = Self.entry(table.pointee.decode_row, layout.type, as: ck_decode_row.self)
        decode(
            (matrix.bytes + panel * layout.panelBytes).assumingMemoryBound(to: UInt8.self), Int64(layout.columns), matrix.grids, Int64(lane), out)
    }

    /// The table's entry for a storage type. C arrays arrive as tuples; an id out of range cannot be: StorageType has the same ids.
    static func entry<Tuple, Function>(_ tuple: Tuple, _ type: StorageType, as: Function.Type) -> Function {
        withUnsafeBytes(of: tuple) { $0.load(fromByteOffset: Int(type.rawValue) * MemoryLayout<Function>.stride, as: Function.self) }
    }
}
