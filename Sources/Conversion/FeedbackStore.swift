import Architectures
import ByteStorage
import CalibrationFiles
import Kernels
import ModelFiles
import Quantization
import Tensors

/// Makes and keeps what encoding with error feedback needs, for the tensors that are being worked on.
///
/// *Threads*: workers ask from all sides. One of them makes what is missing with a pool of its own while the others wait. Results do not
/// depend on who asks when.
final class FeedbackStore: @unchecked Sendable {  // Safe: everything that changes is used inside `monitor` only.
    /// Tensors that read the same input share what is made.
    private struct Key: Hashable {
        var input: LinearInput?
        var layer: Int?
    }

    private let plan: ConversionPlan
    private let weighting: ErrorWeighting
    private let kernels: KernelSet
    private let threads: Int
    private let monitor = Monitor()
    private var pool: WorkerPool?
    /// The newest last.
    private var kept: [(key: Key, feedback: ErrorFeedback?)] = []

    /// Shards are read side by side, so that several tensors may be worked on in turn.
    private static let mostKept = 6
    /// Columns that are fed back to each other: a Hessian of 8192 columns takes 256 MB while it is factored; an estimate does not deserve that time.
    private static let calibratedSpan = 8192, estimatedSpan = 2048
    /// Added to the diagonal, relative to its mean: GPTQ's share.
    private static let damping: Float = 0.01

    init(plan: ConversionPlan, kernels: KernelSet, threads: Int) {
        self.plan = plan
        weighting = plan.weighting
        self.kernels = kernels
        self.threads = threads
    }

    /// Nil where the tensor is encoded by its own values alone.
    func feedback(for index: Int) throws -> ErrorFeedback? {
        guard weighting.feedsBack || (weighting.calibration != nil && weighting.weighsColumns) else { return nil }
        let tensor = plan.model.tensors[index], layout = plan.layout.tensors[index].layout
        guard layout.type.isQuantized, kernels.hasFeedback(for: layout.type) else { return nil }
        let key = Key(input: plan.model.input(of: tensor), layer: tensor.expected.layer)
        return try monitor.locked {
            if let found = kept.firstIndex(where: { $0.key == key }) {
                let entry = kept.remove(at: found)
                kept.append(entry)
                return entry.feedback
            }
            if kept.count == Self.mostKept { kept.removeFirst() }
            let feedback = try make(key, columns: tensor.columns, padded: layout.paddedColumns)
            kept.append((key, feedback))
            return feedback
        }
    }

    private func make(_ key: Key, columns: Int, padded: Int) throws -> ErrorFeedback? {
        if let calibration = weighting.calibration, let input = key.input {
            if weighting.feedsBack, calibration.entry(input, layer: key.layer, .hessian) != nil {
                return try measured(calibration, input, layer: key.layer, columns: columns, padded: padded)
            }
            if weighting.weighsColumns, let squares = try calibration.diagonal(input: input, layer: key.layer) { return Self.weights(squares, padded: padded) }
        }
        // What goes together in a head's rows says little about its input: on one trained model the estimate took a third off its loss, on another it added half.
        return weighting.feedsBack && key.input != .outputHead ? try estimated(key, columns: columns, padded: padded) : nil
    }

    private func workers() -> WorkerPool {
        if let pool { return pool }
        let made = WorkerPool(threads: threads)
        pool = made
        return made
    }

    /// Column weights alone. None is below a hundredth of the mean.
    private static func weights(_ squares: [Float], padded: Int) -> ErrorFeedback? {
        let mean = squares.reduce(0.0) { $0 + Double($1) } / Double(squares.count)
        guard mean > 0, mean.isFinite else { return nil }
        let feedback = ErrorFeedback(padded: padded, span: 0)
        for (k, square) in squares.enumerated() { feedback.weights[k] = Float(Double(square) / mean) + damping }
        return feedback
    }

    // MARK: Calibration

    private func measured(_ calibration: CalibrationFile, _ input: LinearInput, layer: Int?, columns: Int, padded: Int) throws -> ErrorFeedback? {
        guard let triangle = try calibration.hessianTriangle(input: input, layer: layer) else { return nil }
        let feedback = ErrorFeedback(padded: padded, span: Self.span(padded, limit: Self.calibratedSpan))
        for span in 0..<feedback.spans {
            let range = feedback.columns(ofSpan: span)
            let matrix = SymmetricMatrix(size: range.count, kernels: kernels, pool: workers())
            for i in range where i < columns {
                let row = i * columns - i * (i - 1) / 2 - i
                for j in i..<min(range.upperBound, columns) { matrix[i - range.lowerBound, j - range.lowerBound] = triangle[row + j] }
            }
            let mean = matrix.trace / Double(min(range.upperBound, columns) - min(range.lowerBound, columns))
            guard mean > 0, mean.isFinite else { return nil }
            matrix.scale(by: Float(1 / mean), damping: Self.damping)
            matrix.factor(into: feedback, span: span)
        }
        return feedback
    }

    /// Spans of equal length as far as possible, so that no short one is left over.
    private static func span(_ padded: Int, limit: Int) -> Int {
        guard padded > limit else { return padded }
        let spans = (padded + limit - 1) / limit
        return ((padded + spans - 1) / spans + 255) / 256 * 256
    }

    // MARK: Estimate

    private func estimated(_ key: Key, columns: Int, padded: Int) throws -> ErrorFeedback? {
        let sources = plan.model.tensors.filter { tensor in
            guard !tensor.expected.role.isNorm else { return false }
            return plan.model.input(of: tensor) == key.input && tensor.expected.layer == key.layer
        }
        let feedback = ErrorFeedback(padded: padded, span: Self.span(padded, limit: Self.estimatedSpan))
        var isWorthwhile = false
        for span in 0..<feedback.spans {
            let range = feedback.columns(ofSpan: span)
            let correlations = WeightCorrelations(columns: range.count, kernels: kernels, pool: workers())
            let sample = RowSample(sources: sources, model: plan.model, columns: range.lowerBound..<min(range.upperBound, columns), padded: range.count)
            guard try sample.forEachChunk(kernels: kernels, { correlations.add($0, count: $1, stride: RowSample.chunk) }) else { return nil }
            if correlations.shrinkage <= WeightCorrelations.mostShrinkage { isWorthwhile = true }
            correlations.factor(into: feedback, span: span, damping: Self.damping)
        }
        return isWorthwhile ? feedback : nil
    }
}
