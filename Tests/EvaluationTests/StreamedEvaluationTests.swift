import ByteStorage
import Evaluation
import Glibc
import Kernels
import LayerwiseInference
import ModelFiles
import Tensors
import TestSupport
import Testing

@Suite(.serialized) struct StreamedEvaluationTests {
    private static func evaluation(
        _ variants: [EvaluatedVariant], against reference: EvaluatedVariant? = nil, budget: Int = 2_000_000_000, size: Int = TextWindows.standardSize
    ) throws -> StreamedEvaluation {
        StreamedEvaluation(
            variants: variants, reference: reference, windowSize: size, budget: budget, kernels: try KernelSet.selected(), pool: WorkerPool(threads: 2))
    }

    private static func original() throws -> EvaluatedVariant { EvaluatedVariant(model: try Fixture.checkpoint(), arithmetic: .floats) }
    private static let asRun = LayerArithmetic(products: .int8(.requantized), cache: .f16)

    @Test func theCheckpointHasThePerplexityOfTransformers() throws {
        let golden = try BundledModel.goldenPerplexity(of: "sampled.txt")
        let figures = try Self.evaluation([Self.original()]).run(TextWindows(ids: Fixture.ids(of: BundledModel.text), begin: 1)) { _ in true }
        let summary = EvaluationSummary(figures, variant: 0)
        print("checkpoint, sampled.txt: perplexity \(summary.perplexity) +/- \(summary.perplexityUncertainty), transformers \(golden)")
        #expect(summary.windows == golden.windows)
        #expect(abs(summary.perplexity / golden.perplexity - 1) < 1e-5)
        #expect(abs(summary.perplexityUncertainty / golden.uncertainty - 1) < 1e-4)
    }

    @Test(.enabled(if: Folders.kind(of: BundledModel.evalText) == .file, "shared/texts/eval.txt is not beside the repository"))
    func theCheckpointHasThePerplexityOfTransformersOnDocumentation() throws {
        let golden = try BundledModel.goldenPerplexity(of: "eval.txt")
        let figures = try Self.evaluation([Self.original()]).run(TextWindows(ids: Fixture.ids(of: BundledModel.evalText), begin: 1)) { _ in true }
        let summary = EvaluationSummary(figures, variant: 0)
        #expect(summary.windows == golden.windows)
        #expect(abs(summary.perplexity / golden.perplexity - 1) < 1e-5)
        #expect(abs(summary.perplexityUncertainty / golden.uncertainty - 1) < 1e-4)
    }

    /// Bounds a little above what was measured.
    @Test func whatQuantizingCosts() throws {
        let text = TextWindows(ids: try Fixture.ids(of: BundledModel.text), begin: 1, limit: 16)
        for (type, divergence) in [(StorageType.q8, 0.0002), (.q4, 0.0025), (.q4s, 0.0035)] {
            let source = try Fixture.source(type)
            let figures = try Self.evaluation(
                [EvaluatedVariant(model: source, arithmetic: .floats), EvaluatedVariant(model: source, arithmetic: Self.asRun)], against: Self.original()
            ).run(text) { _ in true }
            let weights = try #require(EvaluationSummary(figures, variant: 0).comparison), asRun = try #require(EvaluationSummary(figures, variant: 1).comparison)
            print("\(type): weights alone \(weights.divergence.mean), as run \(asRun.divergence.mean) +/- \(asRun.divergence.uncertainty), same top \(asRun.sameTop.mean)")
            #expect(asRun.divergence.mean < divergence && asRun.divergence.mean > weights.divergence.mean)
            #expect(abs(asRun.perplexityRatio - 1) < 0.01 && asRun.sameTop.mean > 0.94)
        }
        // f16 keeps a checkpoint in F16: nothing is lost at all.
        let figures = try Self.evaluation([EvaluatedVariant(model: Fixture.source(.f16), arithmetic: .floats)], against: Self.original()).run(text) { _ in true }
        let lossless = try #require(EvaluationSummary(figures, variant: 0).comparison)
        #expect(lossless.divergences.allSatisfy { $0 == 0 } && lossless.perplexityRatio == 1 && lossless.sameTop.mean == 1)
    }

    @Test func resultsDoNotDependOnBatchesAndInterruptions() throws {
        let text = TextWindows(ids: Array(try Fixture.ids(of: BundledModel.text).prefix(700)), begin: 1, size: 32)
        // Exact: folding begins at a number of tokens that windows as short as these do not have on their own.
        let arithmetic = LayerArithmetic(products: .int8(.exact), cache: .f16)
        let variants = [EvaluatedVariant(model: try Fixture.source(.q4), arithmetic: arithmetic)]
        func evaluation(budget: Int) throws -> StreamedEvaluation {
            try Self.evaluation(variants, against: Self.original(), budget: budget, size: 32)
        }
        let whole = try evaluation(budget: 1 << 30)
        let expected = try whole.run(text) { _ in true }
        #expect(expected.count == 21 && whole.batchWindows == 16)
        let small = try evaluation(budget: 1)
        #expect(small.batchWindows == 1)
        var calls = 0
        let first = try small.run(text) { progress in
            calls += 1
            #expect(progress.windows == 21 && progress.underWay < 1)
            return progress.finished.count < 5
        }
        #expect(first == Array(expected.prefix(5)) && calls >= 5 * 8)
        // Stopped between two layers: only whole windows come back.
        var layers = 0
        #expect(try whole.run(text, finished: first) { _ in layers += 1; return layers < 3 } == first)

        let path = "/tmp/quern-progress-\(getpid())"
        defer { unlink(path) }
        let key = EvaluationProgressFile.key(small, text, version: "1")
        let file = EvaluationProgressFile(path: path, key: key, evaluation: small, text: text)
        #expect(try file.load() == nil)
        try file.save(first)
        let kept = try #require(try file.load())
        #expect(kept == first)
        #expect(try whole.run(text, finished: kept) { _ in true } == expected)

        func fault(_ file: EvaluationProgressFile) -> String {
            do { _ = try file.load(); return "" } catch { return "\(error)" }
        }
        let other = EvaluationProgressFile(path: path, key: EvaluationProgressFile.key(small, text, version: "2"), evaluation: small, text: text)
        #expect(fault(other).contains("this is the progress of another evaluation"))
        #expect(key != EvaluationProgressFile.key(try Self.evaluation([Self.original()], size: 32), text, version: "1"))
        let bytes = try ReadableFile(path: path).readAll(limit: 1 << 24)
        for position in stride(from: 0, to: bytes.count, by: 61) {
            var changed = bytes
            changed[position] ^= 0x40
            let descriptor = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC)
            #expect(write(descriptor, changed, changed.count) == changed.count)
            close(descriptor)
            if fault(file).isEmpty { Issue.record("a changed byte \(position) is not found") }
        }
        file.remove()
        #expect(Folders.kind(of: path) == .missing)
    }
}
