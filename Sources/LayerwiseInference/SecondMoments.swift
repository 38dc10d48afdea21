import Glibc
package import Kernels

/// Second moments of a linear layer's input over tokens: mean x[k]^2, and on request mean x[i] x[j].
///
/// Memory with the Hessian: 2 K (K + 128) bytes for K columns, since only its upper triangle is kept.
///
/// - *Threads*: one caller at a time.
/// - *Accuracy*: the diagonal is summed in f64, the Hessian in f32, 256 tokens at a time. The same bits on every instruction set and for any number
///   of threads; for any division into calls too, when they begin at multiples of 256 tokens.
package final class SecondMoments {
    package let columns: Int
    package private(set) var tokens = 0
    private var squares: [Double]
    private let hessian: Hessian?

    package init(columns: Int, hessian: Bool) {
        precondition(columns >= 1, "\(columns) columns")
        self.columns = columns
        squares = [Double](repeating: 0, count: columns)
        self.hessian = hessian ? Hessian(columns: columns) : nil
    }

    package static func byteCount(columns: Int, hessian: Bool) -> Int { 8 * columns + (hessian ? Hessian.byteCount(columns) : 0) }

    package var hasHessian: Bool { hessian != nil }

    /// Adds the first `count` tokens of `rows`.
    package func add(_ rows: FloatRows, tokens count: Int, with kernels: KernelSet, pool: WorkerPool) {
        precondition(rows.columns == columns && count >= 1 && count <= rows.tokens, "\(count) tokens of \(rows.columns) columns")
        squares.withUnsafeMutableBufferPointer { squares in
            // Safe: every chunk has its own columns.
            nonisolated(unsafe) let squares = squares
            pool.forEachChunk(of: columns, chunk: 512) { range, _ in
                for token in 0..<count {
                    let place = rows.place(token)
                    for column in range {
                        let value = Double(place[column * FloatRows.group])
                        squares[column] += value * value
                    }
                }
            }
        }
        hessian?.add(rows, tokens: count, with: kernels, pool: pool)
        tokens += count
    }

    /// mean x[k]^2
    package var diagonal: [Float] { squares.map { Float($0 / Double(max(tokens, 1))) } }

    /// Calls `body` with mean x[row] x[j], j = row ..< columns, for every row in order.
    package func forEachHessianRow<Failure: Error>(_ body: (_ row: Int, UnsafeBufferPointer<Float>) throws(Failure) -> Void) throws(Failure) {
        guard let hessian else { preconditionFailure("no Hessian was asked for") }
        try hessian.forEachRow(scale: 1 / Float(max(tokens, 1)), body)
    }

    /// mean x[i] x[j], the whole symmetric matrix [columns][columns].
    package func symmetricHessian() -> [Float] {
        var full = [Float](repeating: 0, count: columns * columns)
        forEachHessianRow { (row, values) throws(Never) in
            for (offset, value) in values.enumerated() {
                full[row * columns + row + offset] = value
                full[(row + offset) * columns + row] = value
            }
        }
        return full
    }

    /// sum x[i] x[j] for blocks of 128 rows i, each from its diagonal on: [block][j][128], made by the product of fp32 panels with tokens in
    /// the place of columns.
    private final class Hessian {
        private static let blockPanels = 8
        private static let blockRows = 16 * blockPanels
        /// Tokens that are multiplied at once.
        private static let slab = 256

        private let columns: Int
        private let blocks: [(start: Int, memory: UnsafeMutablePointer<Float>, panels: Int)]
        /// The slab's values as panels [column / 16][token][16] and as groups [column / 12][token][12].
        private let panels, groups: UnsafeMutablePointer<Float>

        static func byteCount(_ columns: Int) -> Int { 2 * columns * (columns + 2 * blockRows) + 8 * slab * (columns + 16) }

        init(columns: Int) {
            func floats(_ count: Int) -> UnsafeMutablePointer<Float> {
                let bytes = (count * 4 + 63) / 64 * 64
                let memory = aligned_alloc(64, bytes)!
                memset(memory, 0, bytes)
                return memory.assumingMemoryBound(to: Float.self)
            }
            self.columns = columns
            blocks = stride(from: 0, to: columns, by: Self.blockRows).map { first in
                // The group that holds the diagonal.
                let start = first / FloatRows.group * FloatRows.group
                let panels = min(Self.blockPanels, (columns - first + 15) / 16)
                return (start, floats((columns - start) * 16 * panels), panels)
            }
            panels = floats((columns + 15) / 16 * 16 * Self.slab)
            groups = floats((columns + FloatRows.group - 1) / FloatRows.group * FloatRows.group * Self.slab)
        }

        deinit {
            for block in blocks { free(block.memory) }
            free(panels)
            free(groups)
        }

        func add(_ rows: FloatRows, tokens: Int, with kernels: KernelSet, pool: WorkerPool) {
            for first in stride(from: 0, to: tokens, by: Self.slab) {
                let count = min(Self.slab, tokens - first)
                pool.forEachChunk(of: columns, chunk: 192) { range, _ in
                    for column in range {
                        let (panel, row) = column.quotientAndRemainder(dividingBy: 16), (group, lane) = column.quotientAndRemainder(dividingBy: FloatRows.group)
                        let a = panels + panel * 16 * count + row, b = groups + group * FloatRows.group * count + lane
                        for token in 0..<count {
                            let value = rows.place(first + token)[column * FloatRows.group]
                            a[16 * token] = value
                            b[FloatRows.group * token] = value
                        }
                    }
                }
                pool.forEachChunk(of: blocks.count, chunk: 1) { range, _ in
                    for index in range {
                        let block = blocks[index]
                        kernels.multiplyFloats(
                            panels: panels + index * Self.blockPanels * 16 * count, count: block.panels, panelStride: 16 * count, columns: count,
                            by: groups + block.start * count, tokens: columns - block.start, accumulate: true, into: block.memory, stride: 16 * block.panels)
                    }
                }
            }
        }

        func forEachRow<Failure: Error>(scale: Float, _ body: (Int, UnsafeBufferPointer<Float>) throws(Failure) -> Void) throws(Failure) {
            let row = UnsafeMutablePointer<Float>.allocate(capacity: columns)
            defer { row.deallocate() }
            for index in 0..<columns {
                let block = blocks[index / Self.blockRows], inside = index % Self.blockRows
                for column in index..<columns { row[column - index] = block.memory[(column - block.start) * 16 * block.panels + inside] * scale }
                try body(index, UnsafeBufferPointer(start: row, count: columns - index))
            }
        }
    }
}
