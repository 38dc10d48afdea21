import CKernels
import Tensors

extension KernelSet {
    /// out[token][row] = matrix[row] . activations[token] for the rows of the given panels.
    ///
    /// - *Shapes*: the matrix has as many columns as `activations`; `out` starts at row 0 of the matrix, `stride` floats apart per token, with room
    ///   for whole panels (rows rounded up to 16).
    /// - *Layout*: quantized types read the int8 form of the activations (see `ActivationRows.quantize`), float types the floats.
    /// - *Threads*: calls for disjoint panels may run at once.
    /// - *Accuracy*: the same bits on every instruction set and for any split into panels or tokens.
    package func multiply(
        _ matrix: StoredMatrix, panels: Range<Int>, by activations: ActivationRows, tokens: Int, into out: UnsafeMutablePointer<Float>, stride: Int
    ) {
        let layout = matrix.layout
        precondition(layout.columns == activations.columns, "\(layout.columns) matrix columns, \(activations.columns) activations")
        precondition(panels.lowerBound >= 0 && panels.upperBound <= layout.panels, "panels \(panels) of \(layout.panels)")
        precondition(tokens >= 1 && tokens <= activations.tokens, "\(tokens) tokens of \(activations.tokens)")
        var x = ck_activations(x: activations.values, q: activations.codes, scale: activations.scales, sum: activations.sums, padded: Int64(activations.padded))
        let product = Self.entry(table.pointee.matmul, layout.type, as: ck_matmul.self)
        product(
            (matrix.bytes + panels.lowerBound * layout.panelBytes).assumingMemoryBound(to: UInt8.self), Int64(panels.count), Int64(layout.panelBytes),
            Int64(layout.columns), matrix.grids, &x, Int64(tokens), out + panels.lowerBound * PanelLayout.rowsPerPanel, Int64(stride))
    }

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
