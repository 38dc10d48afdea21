import Glibc
import Kernels
import Quantization
import RandomNumbers
import Tensors
import TestSupport
import Testing

/// Made-up inputs whose values go together: few sources, many values, a little noise.
private struct Inputs {
    let columns: Int
    /// [columns][columns], mean x[i] x[j], in double precision.
    let moments: [Double]

    init(columns: Int, sources: Int, seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let mixing = random.gaussians(columns * sources)
        var moments = [Double](repeating: 0, count: columns * columns)
        for i in 0..<columns {
            // Channels of very different size
            for j in 0..<columns {
                var sum = i == j ? 0.1 : 0
                for s in 0..<sources { sum += Double(mixing[i * sources + s]) * Double(mixing[j * sources + s]) }
                moments[i * columns + j] = sum * pow(2, Double(i % 7 + j % 7) / 3)
            }
        }
        (self.columns, self.moments) = (columns, moments)
    }

    /// Sum over the rows of e H e^T.
    func loss(_ values: [Float], _ stored: [Float]) -> Double {
        var loss = 0.0
        for row in stride(from: 0, to: values.count, by: columns) {
            let errors = (0..<columns).map { Double(values[row + $0]) - Double(stored[row + $0]) }
            for i in 0..<columns {
                var sum = 0.0
                for j in 0..<columns { sum += moments[i * columns + j] * errors[j] }
                loss += sum * errors[i]
            }
        }
        return loss
    }

    func feedback(span: Int, padded: Int, kernels: KernelSet, pool: WorkerPool) -> ErrorFeedback {
        let feedback = ErrorFeedback(padded: padded, span: span)
        let mean = (0..<columns).reduce(0) { $0 + moments[$1 * columns + $1] } / Double(columns)
        for index in 0..<feedback.spans {
            let range = feedback.columns(ofSpan: index)
            let matrix = SymmetricMatrix(size: range.count, kernels: kernels, pool: pool)
            for i in range where i < columns {
                for j in i..<min(columns, range.upperBound) {
                    matrix[i - range.lowerBound, j - range.lowerBound] = Float(moments[i * columns + j])
                }
            }
            matrix.scale(by: Float(1 / mean), damping: 0.01)
            matrix.factor(into: feedback, span: index)
        }
        return feedback
    }

    /// The diagonal alone.
    func weights(padded: Int) -> ErrorFeedback {
        let feedback = ErrorFeedback(padded: padded, span: 0)
        for i in 0..<columns { feedback.weights[i] = Float(moments[i * columns + i]) }
        return feedback
    }
}

/// A whole tensor, `panels` at a time.
private func encoded(
    _ values: [Float], as type: StorageType, rows: Int, columns: Int, feedback: ErrorFeedback?, kernels: KernelSet, panels: Int = .max
) throws -> (bytes: [UInt8], stored: [Float], sums: [ErrorSums]) {
    let layout = PanelLayout(type: type, rows: rows, columns: columns)!
    let source = GuardedMemory(values), memory = GuardedMemory(count: layout.byteCount)
    let encoder = PanelEncoder(layout: layout, kernels: kernels)
    var sums: [ErrorSums] = []
    for first in stride(from: 0, to: layout.panels, by: min(panels, layout.panels)) {
        let range = first..<min(first + min(panels, layout.panels), layout.panels)
        let place = source.base + first * 16 * columns * 4, out = memory.base + first * layout.panelBytes
        if let feedback {
            sums += try encoder.encode(panels: range, rows: place, sourceType: .f32, feedback: feedback, into: out)
        } else {
            sums += try range.map { panel in
                let offset = panel - first
                return try encoder.encode(
                    panel: panel, rows: place + offset * 16 * columns * 4, sourceType: .f32, into: out + offset * layout.panelBytes)
            }
        }
    }
    #expect(memory.isIntact)
    let matrix = StoredMatrix(layout: layout, bytes: memory.raw, grids: PanelEncoder.gridBytes(for: type))
    let out = GuardedMemory(count: rows * columns * 4)
    for row in 0..<rows { kernels.row(row, of: matrix, into: out.floats + row * columns) }
    return (memory.array(of: UInt8.self), out.array(of: Float.self), sums)
}

@Suite struct FeedbackTests {
    static let types = StorageType.allCases.filter { $0.isQuantized && KernelSet.available[0].hasFeedback(for: $0) }

    @Test func everyQuantizedTypeHasIt() { #expect(Self.types == StorageType.allCases.filter(\.isQuantized)) }

    /// Each technique lowers what the errors do to the output: weights by the inputs' size, and feedback much more.
    @Test(arguments: types)
    func lowersTheLoss(type: StorageType) throws {
        let kernels = KernelSet.available[0], pool = WorkerPool(threads: 2)
        let (rows, columns) = (48, 384)
        let inputs = Inputs(columns: columns, sources: 40, seed: 21)
        var random = SplitMix64(seed: 22)
        let values = random.gaussians(rows * columns)
        func loss(_ feedback: ErrorFeedback?) throws -> Double {
            inputs.loss(values, try encoded(values, as: type, rows: rows, columns: columns, feedback: feedback, kernels: kernels).stored)
        }
        let plain = try loss(nil), weighted = try loss(inputs.weights(padded: columns))
        let whole = try loss(inputs.feedback(span: columns, padded: columns, kernels: kernels, pool: pool))
        let parts = try loss(inputs.feedback(span: 256, padded: columns, kernels: kernels, pool: pool))
        // Codes of 8 bits leave little to choose from.
        #expect(weighted < (type == .q8 || type == .q6 ? 1.01 : 0.97) * plain, "\(type): weights give \(weighted / plain) of the loss")
        #expect(parts < 0.6 * plain, "\(type): feedback within 256 columns gives \(parts / plain) of the loss")
        #expect(whole < 0.9 * parts, "\(type): feedback over all columns gives \(whole / parts) of that within 256")
    }

    /// Without weights and feedback the search is as good as the one of `encode`, and the figures are those of the stored values.
    @Test(arguments: types)
    func plainSearchIsAsGood(type: StorageType) throws {
        let (rows, columns) = (33, 300)
        var random = SplitMix64(seed: 23)
        let values = (0..<rows * columns).map { _ in Float(random.student(5) * 0.02) }
        let kernels = KernelSet.available[0]
        let plain = try encoded(values, as: type, rows: rows, columns: columns, feedback: nil, kernels: kernels)
        let searched = try encoded(values, as: type, rows: rows, columns: columns, feedback: ErrorFeedback(padded: 384, span: 0), kernels: kernels)
        let (before, after) = (plain.sums.reduce(0) { $0 + $1.noise }, searched.sums.reduce(0) { $0 + $1.noise })
        #expect(after < 1.01 * before, "\(type): \(after / before) of the noise")
        let noise = zip(values, searched.stored).reduce(0.0) { $0 + pow(Double($1.0) - Double($1.1), 2) }
        #expect(abs(noise - after) < 1e-4 * after, "\(type): the sums say \(after), the values \(noise)")
    }

    @Test(arguments: types)
    func sameBytesOnEverySetForAnySplitAndAnyThreads(type: StorageType) throws {
        let (rows, columns) = (70, 300)
        let inputs = Inputs(columns: columns, sources: 9, seed: 24)
        var random = SplitMix64(seed: 25)
        let values = (0..<rows * columns).map { Float(random.student(5) * (0.01 + Double($0 / columns % 5))) }
        let scalar = KernelSet(named: "scalar")!, one = WorkerPool(threads: 1), three = WorkerPool(threads: 3)
        let expected = try encoded(
            values, as: type, rows: rows, columns: columns, feedback: inputs.feedback(span: 384, padded: 384, kernels: scalar, pool: one), kernels: scalar)
        for kernels in KernelSet.available {
            for panels in [1, 2, 5] {
                let feedback = inputs.feedback(span: 384, padded: 384, kernels: kernels, pool: three)
                let got = try encoded(values, as: type, rows: rows, columns: columns, feedback: feedback, kernels: kernels, panels: panels)
                #expect(got.bytes == expected.bytes && got.sums == expected.sums, "\(kernels.name), \(panels) panels at once")
            }
        }
    }

    /// Inputs that no checkpoint should have.
    @Test(arguments: types)
    func extremeValues(type: StorageType) throws {
        let (rows, columns) = (17, 260)
        var random = SplitMix64(seed: 26)
        let normal = random.gaussians(rows * columns)
        let inputs = Inputs(columns: columns, sources: 9, seed: 27), pool = WorkerPool(threads: 1)
        let cases: [(String, [Float])] = [
            ("zeros", normal.map { _ in 0 }), ("1e-30", normal.map { $0 * 1e-30 }), ("huge", normal.map { $0 * 5e37 }),
            ("largest", normal.map { $0 < 0 ? -.greatestFiniteMagnitude : .greatestFiniteMagnitude }),
            ("one value", normal.indices.map { $0 == 700 ? 0.7 : 0 }), ("denormals", normal.map { $0 * 1e-20 * 1e-20 }),
            ("rows of all sizes", normal.enumerated().map { $1 * Float(pow(10.0, Double($0 / columns) * 4 - 32)) }),
        ]
        for (name, values) in cases {
            let kernels = KernelSet.available[0]
            let feedback = inputs.feedback(span: 384, padded: 384, kernels: kernels, pool: pool)
            let got = try encoded(values, as: type, rows: rows, columns: columns, feedback: feedback, kernels: kernels)
            #expect(got.stored.allSatisfy { $0.isFinite }, "\(type), \(name)")
            if name == "zeros" { #expect(got.stored.allSatisfy { $0 == 0 }, "\(type), \(name)") }
            let signal = got.sums.reduce(0) { $0 + $1.signal }, noise = got.sums.reduce(0) { $0 + $1.noise }
            // At the end of f32's range fed-back errors overflow; zeros are stored then, which the error figures show.
            if signal > 1e-20, name != "largest" { #expect(noise < 0.2 * signal, "\(type), \(name): \(noise / signal)") }
        }
    }
}

@Suite struct SymmetricMatrixTests {
    /// H = C^T D C, multiplied out again.
    @Test(arguments: [128, 256, 640])
    func factorsMultiplyToTheMatrix(size: Int) {
        let inputs = Inputs(columns: size, sources: size / 4, seed: 31)
        let feedback = inputs.feedback(span: size, padded: size, kernels: .available[0], pool: WorkerPool(threads: 2))
        // Share of the error of j that i > j takes.
        func share(_ i: Int, _ j: Int) -> Double {
            if i == j { return 1 }
            return Double(feedback.strip(i / 128, ofSpan: 0)[j * 128 + i % 128])
        }
        let mean = (0..<size).reduce(0) { $0 + inputs.moments[$1 * size + $1] } / Double(size)
        var worst = 0.0
        for a in stride(from: 0, to: size, by: 7) {
            for b in stride(from: a, to: size, by: 13) {
                var sum = 0.0
                for i in b..<size { sum += share(i, a) * Double(feedback.weights[i]) * share(i, b) }
                worst = max(worst, abs(sum - inputs.moments[a * size + b] / mean - (a == b ? 0.01 : 0)))
            }
        }
        #expect(worst < 2e-3, "largest difference \(worst)")
    }

    @Test func sumsOfProducts() {
        let (columns, count) = (176, 37)
        var random = SplitMix64(seed: 32)
        let vectors = random.gaussians(columns * 40)
        let matrix = SymmetricMatrix(size: columns, kernels: .available[0], pool: WorkerPool(threads: 2))
        for _ in 0..<2 { matrix.add(vectors, count: count, stride: 40, columns: columns) }
        for (i, j) in [(0, 0), (0, 175), (175, 0), (95, 96), (96, 95), (12, 170), (175, 175)] {
            let expected = 2 * (0..<count).reduce(0.0) { $0 + Double(vectors[i * 40 + $1]) * Double(vectors[j * 40 + $1]) }
            #expect(abs(Double(matrix[i, j]) - expected) < 1e-4, "[\(i), \(j)]: \(matrix[i, j]), not \(expected)")
        }
    }

    /// Independent numbers correlate by chance only; rows along few directions do so in truth.
    @Test func correlationsOfRows() {
        let (columns, rows) = (256, 512)
        var random = SplitMix64(seed: 33)
        func shrinkage(_ vectors: [Float]) -> Double {
            let correlations = WeightCorrelations(columns: columns, kernels: .available[0], pool: WorkerPool(threads: 2))
            for first in stride(from: 0, to: rows, by: 256) {
                let part = (0..<columns * 256).map { vectors[(first + $0 % 256) * columns + $0 / 256] }
                correlations.add(part, count: 256, stride: 256)
            }
            return correlations.shrinkage
        }
        let heavy = (0..<rows * columns).map { _ in Float(random.student(5)) }
        #expect(shrinkage(heavy) > WeightCorrelations.mostShrinkage)
        let mixing = random.gaussians(columns * 16), sources = random.gaussians(rows * 16)
        let along = (0..<rows * columns).map { index -> Float in
            var sum = heavy[index]
            for s in 0..<16 { sum += sources[index / columns * 16 + s] * mixing[index % columns * 16 + s] }
            return sum
        }
        #expect(shrinkage(along) < 0.1)
    }
}
