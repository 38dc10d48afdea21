package import Kernels

/// What can be known of a matrix's input without any data: an estimate from the matrix itself.
///
/// Training adds to a weight matrix products of output gradients with inputs, so its rows lie along the directions that inputs take, and
/// the correlations between its columns resemble those between the input's values. Rounding errors that cancel in these directions harm
/// less. On the bundled model this halves the divergence; matrices of independent random numbers have no correlations, and are found to have none.
///
/// What chance alone puts into the correlations of few rows is shrunk away, after Ledoit and Wolf, "A well-conditioned estimator for
/// large-dimensional covariance matrices" (2004), here with the diagonal as the target.
package final class WeightCorrelations {
    private let matrix: SymmetricMatrix
    private var rows = 0
    /// Over the rows, the sum of (sum of x^2)^2 - sum of x^4.
    private var products = 0.0

    /// Where chance is believed to make up more than this share of what is seen, there is nothing to gain.
    package static let mostShrinkage = 0.75

    package init(columns: Int, kernels: KernelSet, pool: WorkerPool) {
        matrix = SymmetricMatrix(size: columns, kernels: kernels, pool: pool)
    }

    /// Adds `count` rows, given as [columns][stride].
    package func add(_ vectors: UnsafePointer<Float>, count: Int, stride: Int) {
        matrix.add(vectors, count: count, stride: stride, columns: matrix.size)
        var squares = [Double](repeating: 0, count: count), fourths = squares
        for column in 0..<matrix.size {
            for k in 0..<count {
                let square = Double(vectors[column * stride + k]) * Double(vectors[column * stride + k])
                squares[k] += square
                fourths[k] += square * square
            }
        }
        for k in 0..<count { products += squares[k] * squares[k] - fourths[k] }
        rows += count
    }

    /// The share of the correlations that is chance: 0...1.
    package private(set) lazy var shrinkage: Double = {
        let seen = matrix.squaresOffDiagonal, count = Double(rows)
        guard seen > 0, seen.isFinite else { return 1 }
        // With S = sum / rows: (sum of x_i^2 x_j^2 / rows - S^2) / rows over S^2
        return min(1, max(0, (products * count - seen) / (count * seen)))
    }()

    /// Writes span `index` of `feedback`; the matrix is used up.
    package func factor(into feedback: ErrorFeedback, span index: Int, damping: Float) {
        matrix.makeCorrelations(share: Float(1 - shrinkage), damping: damping)
        matrix.factor(into: feedback, span: index)
    }
}
