import Architectures
import ByteStorage
import Calibration
import CalibrationFiles
import Conversion
import Glibc
import Kernels
import LayerwiseInference
import ModelFiles
import StrictJSON
import Tensors
import Testing

private let folder = String(#filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3).joined(separator: "/")) + "/Tests/Fixtures/tiny-docs"

func checkpoint() throws -> CheckpointSource {
    let model = try CheckpointModel.open(folder: folder, withTokenizer: false)
    return try CheckpointSource(checkpoint: model.checkpoint, configuration: model.configuration, configText: model.configText, dropsCache: false)
}

/// Windows of ids that mean nothing but differ.
private func windows(_ count: Int, size: Int) -> [[Int32]] {
    (0..<count).map { window in [1] + (1..<size).map { Int32(($0 * 37 + window * 411) % 4000 + 10) } }
}

private final class Output {
    let folder: String
    var path: String { folder + "/out.qcal" }
    init() throws {
        var template = Array("/tmp/quern-calibration-XXXXXX".utf8CString)
        folder = String(cString: try #require(mkdtemp(&template)))
    }
    deinit {
        for name in names { unlink("\(folder)/\(name)") }
        rmdir(folder)
    }
    var names: [String] { (try? Folders.names(in: folder)) ?? [] }
    func bytes() throws -> [UInt8] { try ReadableFile(path: path).readAll(limit: 1 << 30) }
}

@Suite struct SecondMomentsTests {
    /// Against sums in double precision, for widths around the blocks and numbers of tokens around the slabs.
    @Test(arguments: [1, 12, 17, 128, 130, 300], [1, 12, 255, 300]) func moments(columns: Int, tokens: Int) throws {
        let rows = FloatRows(tokens: tokens, columns: columns), kernels = try KernelSet.selected(), pool = WorkerPool(threads: 2)
        var values = [[Double]](repeating: [Double](repeating: 0, count: columns), count: tokens)
        for token in 0..<tokens {
            let row = (0..<columns).map { Float((token * 31 + $0 * 17) % 23) / 8 - 1.25 }
            values[token] = row.map { Double($0) }
            rows.store(row, count: columns, token: token)
        }
        let moments = SecondMoments(columns: columns, hessian: true)
        // Twice, so that a second addition is seen too.
        for _ in 0..<2 { moments.add(rows, tokens: tokens, with: kernels, pool: pool) }
        #expect(moments.tokens == 2 * tokens)
        var worst = 0.0
        let full = moments.symmetricHessian(), diagonal = moments.diagonal
        for i in 0..<columns {
            for j in 0..<columns {
                let expected = values.reduce(0) { $0 + $1[i] * $1[j] } / Double(tokens)
                worst = max(worst, abs(Double(full[i * columns + j]) - expected))
                if i == j { worst = max(worst, abs(Double(diagonal[i]) - expected)) }
            }
        }
        #expect(worst < 1e-5)
    }
}

@Suite(.serialized) struct CalibrationJobTests {
    private func job(_ output: Output, hessians: Set<LinearInput> = [.queryKeyValue, .down], budget: Int = 1 << 30, count: Int = 3) throws -> CalibrationJob {
        let plan = CalibrationJob.Plan(
            model: try checkpoint(), windows: windows(count, size: 24), windowSize: 24, hessians: hessians,
            provenance: ["generator": ["name": "quern", "version": "test"], "text": ["kind": "file"], "options": ["windows": 3]], output: output.path)
        return CalibrationJob(plan: plan, budget: budget, kernels: try KernelSet.selected(), pool: WorkerPool(threads: 2))
    }

    @Test func aFileHasTheMomentsOfWhatTheLayersRead() throws {
        let output = try Output()
        let id = try job(output).run(keep: { false }) { _ in }
        #expect(output.names == ["out.qcal"])
        let file = try CalibrationFile.open(output.path)
        #expect(file.id == id && file.entries.count == 8 * 6 + 1)
        #expect(file.metadata["windows"]?.int == 3 && file.metadata["shards"]?.array?.count == 3)
        for entry in file.entries { #expect(try file.values(of: entry).count == entry.values && entry.tokens == 72) }

        // The first layer's first input, straight from the embedding.
        let model = try checkpoint(), kernels = try KernelSet.selected()
        let norm = try model.layer(0).attentionNorm
        var squares = [Double](repeating: 0, count: 256), product = 0.0
        try withUnsafeTemporaryAllocation(byteCount: 128 * 256, alignment: 64) { scratch in
            for token in windows(3, size: 24).flatMap({ $0 }) {
                var row = [Float](repeating: 0, count: 256), out = row
                try model.embedding.row(Int(token), with: kernels, scratch: scratch.baseAddress!, into: &row)
                let scale = 1 / (row.reduce(0.0) { $0 + Double($1) * Double($1) } / 256 + 1e-5).squareRoot()
                for column in 0..<256 {
                    out[column] = Float(Double(row[column]) * scale) * norm[column]
                    squares[column] += Double(out[column]) * Double(out[column]) / 72
                }
                product += Double(out[3]) * Double(out[7]) / 72
            }
        }
        let diagonal = try #require(try file.diagonal(input: .queryKeyValue, layer: 0))
        #expect(zip(diagonal, squares).allSatisfy { abs(Double($0) - $1) <= 1e-5 * $1 + 1e-9 })
        let hessian = try #require(try file.hessianTriangle(input: .queryKeyValue, layer: 0))
        #expect(abs(Double(hessian[3 * 256 - 3 + 4]) - product) < 1e-5)
        #expect(abs(hessian[0] - diagonal[0]) < 1e-5 * diagonal[0])
    }

    @Test func sameBytesForAnyMemoryAndAfterAnInterruption() throws {
        let whole = try Output(), small = try Output(), cut = try Output()
        let id = try job(whole).run(keep: { false }) { _ in }
        #expect(try job(small, budget: 1).run(keep: { true }) { _ in } == id)
        #expect(try small.bytes() == whole.bytes() && small.names == ["out.qcal"])

        // An error behind a layer that was kept: two hidden files stay, and the next run begins there.
        let stopped = try job(cut)
        var count = 0
        #expect(throws: CalibrationFileError.self) {
            _ = try stopped.run(keep: { count += 1; return count == 3 }) { progress in
                // The hidden output is removed under the writer: the rename fails.
                if progress.done == 8 { unlink("\(cut.folder)/.out.qcal.quern-unfinished") }
            }
        }
        #expect(cut.names == [".out.qcal.quern-state"])
        // Without the values the state is worth nothing: all begins anew.
        var first: [Int] = []
        #expect(try job(cut).run(keep: { false }) { first.append($0.resumed) } == id)
        #expect(first.first == 0 && cut.names == ["out.qcal"])
        #expect(try cut.bytes() == whole.bytes())
    }

    @Test func goesOnFromWhatWasKept() throws {
        let output = try Output(), whole = try Output()
        let id = try job(whole).run(keep: { false }) { _ in }
        let failing = try job(output)
        var done = 0
        // Kept behind layer 5, then the process "ends": the hidden files are copied away and put back.
        let names = [".out.qcal.quern-state", ".out.qcal.quern-unfinished"]
        var copies: [[UInt8]] = []
        _ = try failing.run(keep: { done += 1; return done == 5 }) { progress in
            if progress.done == 6 { copies = names.map { (try? ReadableFile(path: "\(output.folder)/\($0)").readAll(limit: 1 << 28)) ?? [] } }
        }
        #expect(copies.count == 2 && !copies[0].isEmpty && !copies[1].isEmpty)
        unlink(output.path)
        for (name, bytes) in zip(names, copies) {
            let descriptor = open("\(output.folder)/\(name)", O_WRONLY | O_CREAT | O_CLOEXEC, 0o644)
            #expect(write(descriptor, bytes, bytes.count) == bytes.count)
            close(descriptor)
        }
        var resumed: [Int] = []
        #expect(try job(output).run(keep: { false }) { resumed.append($0.resumed) } == id)
        #expect(resumed == [5, 5, 5, 5])
        #expect(try output.bytes() == whole.bytes() && output.names == ["out.qcal"])
    }

    @Test func theModelWritesText() throws {
        let model = try checkpoint(), kernels = try KernelSet.selected(), pool = WorkerPool(threads: 2)
        func text(_ seed: UInt64, budget: Int, _ arithmetic: LayerArithmetic = .floats) throws -> [[Int32]] {
            try SampledText(model: model, arithmetic: arithmetic, windows: 3, windowSize: 20, seed: seed)
                .write(begin: 1, ends: [2], budget: budget, kernels: kernels, pool: pool) { _ in }
        }
        let first = try text(1, budget: 1 << 30)
        #expect(first.count == 3 && first.allSatisfy { $0.count == 20 && $0[0] == 1 })
        #expect(first[0] != first[1])
        // One after the other gives what all together give.
        #expect(try text(1, budget: 1) == first)
        #expect(try text(2, budget: 1 << 30) != first)
    }

    /// A step with a cache computes what a window does.
    @Test func stepsAgreeWithWindows() throws {
        let model = try checkpoint(), kernels = try KernelSet.selected(), configuration = model.configuration
        let tokens = windows(2, size: 24), arithmetic = LayerArithmetic(products: .floats, cache: .f16)
        let engine = LayerwiseEngine(configuration: configuration, windowSize: 24, groupWindows: 2, codes: false, kernels: kernels, pool: WorkerPool(threads: 2))
        let whole = HiddenStates(windows: 2, windowSize: 24, configuration: configuration)
        try engine.embed(tokens.flatMap { $0 }, from: model.embedding, into: whole)
        for layer in 0..<configuration.layers { try engine.run(try model.layer(layer), arithmetic, on: whole) }
        let caches = TextCaches(texts: 2, context: 24, element: .f16, configuration: configuration)
        let single = HiddenStates(windows: 2, windowSize: 1, configuration: configuration)
        var differing = 0
        for position in 0..<24 {
            try engine.embed(tokens.map { $0[position] }, from: model.embedding, into: single)
            for layer in 0..<configuration.layers {
                try engine.step(try model.layer(layer), layer: layer, arithmetic, on: single, position: position, caches: caches)
            }
            for text in 0..<2 {
                for index in 0..<256 where single.values[text * single.stride + index] != whole.values[(text * 24 + position) * whole.stride + index] { differing += 1 }
            }
        }
        #expect(differing == 0)
    }

    /// Replacing every matrix by itself changes nothing, and every input is asked for once, in order.
    @Test func replacingByTheSameIsTheForwardPass() throws {
        let model = try checkpoint(), kernels = try KernelSet.selected(), configuration = model.configuration
        let engine = LayerwiseEngine(configuration: configuration, windowSize: 24, groupWindows: 1, codes: false, kernels: kernels, pool: WorkerPool(threads: 2))
        func states() throws -> HiddenStates {
            let states = HiddenStates(windows: 2, windowSize: 24, configuration: configuration)
            try engine.embed(windows(2, size: 24).flatMap { $0 }, from: model.embedding, into: states)
            return states
        }
        let plain = try states(), replaced = try states()
        for layer in 0..<2 {
            let weights = try model.layer(layer)
            var inputs: [LinearInput] = [], expected: [LinearInput: [Float]] = [:]
            let moments = Dictionary(uniqueKeysWithValues: LinearInput.ofLayer.map { ($0, SecondMoments(columns: $0.columns(configuration), hessian: false)) })
            let pool = WorkerPool(threads: 1)
            try engine.run(weights, .floats, on: plain) { moments[$0.input]!.add($0.rows, tokens: $0.tokens, with: kernels, pool: pool) }
            for (input, moment) in moments { expected[input] = moment.diagonal }
            _ = try engine.replace(weights, on: replaced, hessians: { $0 == .queryKeyValue }) { input, moments in
                inputs.append(input)
                #expect(moments.diagonal == expected[input] && moments.hasHessian == (input == .queryKeyValue))
                return weights[input]
            }
            #expect(inputs == LinearInput.ofLayer)
        }
        for index in 0..<plain.tokens * plain.stride where plain.values[index] != replaced.values[index] {
            Issue.record("value \(index) differs")
            break
        }
    }
}
