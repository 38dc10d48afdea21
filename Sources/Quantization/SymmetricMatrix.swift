import Glibc
package import Kernels

/// The upper half of a symmetric matrix of f32 and its factorization by several threads. Columns are held from the last to the first: the
/// factorization that error feedback needs then is the usual Cholesky decomposition.
///
/// *Threads*: one caller, who brings the pool. *Accuracy*: the same bits for any number of threads, on every instruction set.
package final class SymmetricMatrix {
    /// A multiple of 16.
    package let size: Int
    private let kernels: KernelSet
    private let pool: WorkerPool
    /// [size][size]; below the diagonal nothing counts. Index i stands for column size - 1 - i.
    private let values: UnsafeMutablePointer<Float>
    /// Rows that are worked on at once: a multiple of 16 and of the 12 that a product takes side by side.
    private static let block = 96

    package init(size: Int, kernels: KernelSet, pool: WorkerPool) {
        precondition(size > 0 && size % 16 == 0, "\(size) columns, expected a multiple of 16")
        (self.size, self.kernels, self.pool) = (size, kernels, pool)
        values = aligned_alloc(64, size * size * 4)!.assumingMemoryBound(to: Float.self)
        values.update(repeating: 0, count: size * size)
    }

    deinit { free(values) }

    /// Entry of columns i and j.
    package subscript(i: Int, j: Int) -> Float {
        get { values[place(i, j)] }
        set { values[place(i, j)] = newValue }
    }

    private func place(_ i: Int, _ j: Int) -> Int { (size - 1 - max(i, j)) * size + size - 1 - min(i, j) }

    // MARK: Sums of products

    /// Adds x x^T of each of `count` vectors. `vectors` is [columns][stride], a column of at least `count` values after the other.
    package func add(_ vectors: UnsafePointer<Float>, count: Int, stride: Int, columns: Int) {
        precondition(count > 0 && stride >= count && columns <= size, "\(count) vectors of \(columns) columns")
        update(from: 0, depth: count, sign: 1) { index, place, step in
            let column = self.size - 1 - index
            if column < columns {
                let source = vectors + column * stride
                for k in 0..<count { place[k * step] = source[k] }
            } else {
                for k in 0..<count { place[k * step] = 0 }
            }
        }
    }

    /// values[i][j] += sign x sum over k of v[i][k] v[j][k] for j >= i >= first; `fill` writes v[i][0 ..< depth], a step apart.
    private func update(from first: Int, depth: Int, sign: Float, fill: (Int, UnsafeMutablePointer<Float>, Int) -> Void) {
        let count = size - first, group = FloatRows.group
        guard count > 0 else { return }
        let rows = FloatRows(tokens: count, columns: depth)
        let panels = aligned_alloc(64, count * depth * 4)!.assumingMemoryBound(to: Float.self)
        defer { free(panels) }
        pool.forEachChunk(of: count, chunk: 16) { range, _ in
            for i in range {
                let place = panels + i / 16 * 16 * depth + i % 16
                fill(first + i, place, 16)
                let row = rows.place(i)
                for k in 0..<depth { row[k * group] = sign * place[k * 16] }
            }
        }
        let blocks = (count + Self.block - 1) / Self.block
        pool.forEachChunk(of: blocks, chunk: 1) { range, _ in
            for index in range {
                let start = index * Self.block
                let place = self.values + (first + start) * self.size + first + start
                self.kernels.multiplyFloats(
                    panels: panels + start * depth, count: (count - start) / 16, panelStride: 16 * depth, columns: depth,
                    by: rows.groups + start * depth, tokens: min(Self.block, count - start), accumulate: true, into: place, stride: self.size)
            }
        }
    }

    // MARK: Properties

    /// Sum of the diagonal.
    package var trace: Double { (0..<size).reduce(0) { $0 + Double(values[$1 * size + $1]) } }

    /// Sum of the squares of all entries outside the diagonal.
    package var squaresOffDiagonal: Double {
        let parts = (0..<size).map { i in
            var sum = 0.0
            for j in i + 1..<max(size, i + 1) where j < size { sum += Double(values[i * size + j]) * Double(values[i * size + j]) }
            return sum
        }
        return 2 * parts.reduce(0, +)
    }

    /// Multiplies everything by `factor`, then adds `damping` to the diagonal.
    package func scale(by factor: Float, damping: Float) {
        pool.forEachChunk(of: size, chunk: 16) { range, _ in
            for i in range {
                let row = self.values + i * self.size
                for j in i + 1..<max(self.size, i + 1) where j < self.size { row[j] *= factor }
                row[i] = row[i] * factor + damping
            }
        }
    }

    /// Divides every entry by the square roots of the two entries on the diagonal, multiplies those outside the diagonal by `share` and adds
    /// `damping` to the ones on it. Columns without any value correlate with nothing.
    package func makeCorrelations(share: Float, damping: Float) {
        let inverse = (0..<size).map { i -> Float in
            let own = values[i * size + i]
            return own > 0 ? 1 / own.squareRoot() : 0
        }
        pool.forEachChunk(of: size, chunk: 16) { range, _ in
            for i in range {
                let row = self.values + i * self.size, own = share * inverse[i]
                for j in i + 1..<max(self.size, i + 1) where j < self.size { row[j] *= own * inverse[j] }
                row[i] = 1 + damping
            }
        }
    }

    // MARK: Factorization

    /// Replaces the matrix H by the factors of H = C^T D C, C unit lower triangular in the columns' own order, and writes them into span
    /// `index` of `feedback`: D as weights, C without its diagonal, transposed, as shares.
    ///
    /// Source of the algorithm: right-looking block Cholesky decomposition. A pivot that rounding has made too small counts as 1e-6 of what it was.
    package func factor(into feedback: ErrorFeedback, span index: Int) {
        for first in stride(from: 0, to: size, by: Self.block) {
            let end = min(size, first + Self.block)
            factorDiagonalBlock(first, end)
            solve(first, end)
            update(from: end, depth: end - first, sign: -1) { i, place, step in
                for k in first..<end { place[(k - first) * step] = self.values[k * self.size + i] }
            }
        }
        store(into: feedback, span: index)
    }

    private func factorDiagonalBlock(_ first: Int, _ end: Int) {
        for k in first..<end {
            let row = values + k * size
            let root = max(row[k], 1e-6).squareRoot()
            let inverse = 1 / root
            row[k] = root
            for j in k + 1..<max(end, k + 1) where j < end { row[j] *= inverse }
            for i in k + 1..<max(end, k + 1) where i < end {
                let other = values + i * size, share = row[i]
                for j in i..<end { other[j] -= share * row[j] }
            }
        }
    }

    /// Rows first ..< end behind their block on the diagonal.
    private func solve(_ first: Int, _ end: Int) {
        pool.forEachChunk(of: size - end, chunk: 64) { range, _ in
            let (lower, count) = (end + range.lowerBound, range.count)
            for k in first..<end {
                let row = self.values + k * self.size + lower
                let inverse = 1 / self.values[k * self.size + k]
                for j in 0..<count { row[j] *= inverse }
                for i in k + 1..<max(end, k + 1) where i < end {
                    let other = self.values + i * self.size + lower, share = self.values[k * self.size + i]
                    for j in 0..<count { other[j] -= share * row[j] }
                }
            }
        }
    }

    private func store(into feedback: ErrorFeedback, span index: Int) {
        let columns = feedback.columns(ofSpan: index)
        precondition(columns.count == size, "span of \(columns.count) columns, matrix of \(size)")
        pool.forEachChunk(of: size / 128, chunk: 1) { range, _ in
            for strip in range {
                let out = feedback.strip(strip, ofSpan: index)
                out.update(repeating: 0, count: 128 * 128 * (strip + 1))
                for i in strip * 128..<strip * 128 + 128 {
                    let row = self.values + (self.size - 1 - i) * self.size + self.size - 1
                    let pivot = row[-i], inverse = 1 / pivot
                    feedback.weights[columns.lowerBound + i] = pivot * pivot
                    for j in 0..<i { out[j * 128 + i - strip * 128] = row[-j] * inverse }
                }
            }
        }
    }
}
