import Architectures
import ByteStorage
import Conversion
import Foundation
import Generation
import Inference
import Kernels
import LayerwiseInference
import ModelFiles
import StrictJSON
import TaskData
import TaskScores
import Tensors
import TestSupport
import Testing
import Tokenization

/// The bundled checkpoint converted without loss, scored once.
final class GoldenModel: Sendable {
    let file: String
    private let folder: TemporaryFolder
    static let checkpoint = repositoryRoot.path + "/Tests/Fixtures/tiny-docs"
    static let questions = repositoryRoot.path + "/Tests/Fixtures/tasks"

    init(_ type: StorageType) throws {
        folder = try TemporaryFolder()
        file = folder.path("tiny.quern")
        let plan = try Preflight(folder: Self.checkpoint, output: file, types: TypeRequest(.all(type)), isDryRun: false).check()
        _ = try ConversionJob(plan: plan, output: file, threads: 2, kernels: try KernelSet.selected()).run { _ in }
    }

    static let f16 = Result { try GoldenModel(.f16) }
    static let q4 = Result { try GoldenModel(.q4) }

    static func golden() throws -> [JSONValue] {
        let json = try JSONReader.read(ReadableFile(path: questions + "/golden.json").readAll(limit: 1 << 24))
        return try #require(json["runs"]?.array)
    }

    /// Questions of a run in the golden results.
    static func task(_ name: String, fewshot: Int) throws -> (file: TaskFile, examples: FewShot) {
        let data = name.hasPrefix("mmlu") ? "mmlu" : name, kind = try #require(TaskKind(name: name))
        let file = try TaskFile(kind: kind, path: "\(questions)/\(data).jsonl")
        guard fewshot > 0 else { return (file, .none) }
        return (file, try FewShot(count: fewshot, file: TaskFile(kind: kind, path: "\(questions)/\(data)-examples.jsonl"), for: file))
    }
}

/// Collects what a scorer finds.
func scores(_ scorer: any QuestionScorer, _ groups: [[TokenizedQuestion]], isDone: (Int, Int) -> Bool = { _, _ in false }) throws -> [[[Double]?]] {
    var found = groups.map { $0.map { _ in [Double]?.none } }
    try scorer.score(groups, isDone: isDone) { found[$0][$1] = $2 } progress: { _ in }
    return found
}

/// Figures of lm-evaluation-harness on the same checkpoint in f32 (Tools/make_task_golden.py).
@Suite struct GoldenScoreTests {
    private let model: LlamaModel
    private let tokenizer: Tokenizer
    private let reader: ModelFileReader
    private let kernels: KernelSet
    private let pool = WorkerPool(threads: 2)

    init() throws {
        kernels = try KernelSet.selected()
        reader = try ModelFileReader(path: GoldenModel.f16.get().file)
        model = try LlamaModel(reader: reader)
        tokenizer = try Tokenizer(modelFile: reader, vocabulary: model.shape.vocabulary)
    }

    private func tokenized(_ file: TaskFile, _ examples: FewShot) throws -> [[TokenizedQuestion]] {
        try file.groups.map { group in
            try group.questions.map {
                try TokenizedQuestion(
                    text: examples.header(file.kind, subject: group.subject) + $0.text, choices: $0.choices, tokenizer: tokenizer,
                    window: model.configuration.contextLength)
            }
        }
    }

    private func session(rows: Int = SessionScorer.logitRows) throws -> SessionScorer {
        SessionScorer(session: try LlamaSession(model: model, context: 1024, logitRows: rows, element: .f32, kernels: kernels, pool: pool), kernels: kernels)
    }

    private func layerwise(budget: Int = 1 << 30) throws -> LayerwiseScorer {
        let found = try CheckpointModel.open(folder: GoldenModel.checkpoint, withTokenizer: false)
        let source = try CheckpointSource(checkpoint: found.checkpoint, configuration: found.configuration, configText: found.configText, dropsCache: false)
        return LayerwiseScorer(model: source, arithmetic: .floats, budget: budget, kernels: kernels, pool: pool)
    }

    /// Log-likelihoods within 1e-3, and the same choices, accuracies and standard errors, in every run.
    @Test(arguments: [false, true]) func everyRun(isLayerwise: Bool) throws {
        var runs = 0, questions = 0, largest = 0.0
        let scorer: any QuestionScorer = isLayerwise ? try layerwise() : try session()
        for run in try GoldenModel.golden() {
            let name = try #require(run["task"]?.string), shots = try #require(run["fewshot"]?.int)
            let (file, examples) = try GoldenModel.task(name, fewshot: shots)
            let groups = try tokenized(file, examples)
            let found = try scores(scorer, groups)
            var scored: [(subject: String?, questions: [ScoredQuestion])] = []
            for (place, group) in file.groups.enumerated() {
                scored.append((group.subject, try group.questions.indices.map { index in
                    ScoredQuestion(
                        question: group.questions[index], logLikelihoods: try #require(found[place][index]), dropped: groups[place][index].dropped)
                }))
            }
            let summary = TaskSummary(scored)
            try expect(summary.accuracy, run, "acc")
            if run["acc_norm"] != nil {
                #expect(file.kind.reportsNormalized)
                try expect(summary.normalized, run, "acc_norm")
            }
            runs += 1
            // The pool of all subjects has no questions of its own.
            guard name != "mmlu" else { continue }
            let group = file.groups[0], expected = try #require(run["questions"]?.array)
            #expect(expected.count == group.questions.count, "\(name)")
            #expect(run["prompt"]?.string == examples.header(file.kind, subject: group.subject) + group.questions[0].text)
            for (index, golden) in expected.enumerated() {
                let text = examples.header(file.kind, subject: group.subject) + group.questions[index].text
                #expect(golden["prompt_sha256"]?.string == Digest32.of(Array(text.utf8)).hex, "\(name) \(index)")
                let continuations = golden["continuations"]?.array?.map { $0.array?.compactMap(\.int) }
                #expect(continuations == groups[0][index].choices.map { $0.continuation.map(Int.init) }, "\(name) \(index)")
                #expect(golden["context_tokens"]?.int == groups[0][index].contexts[0].count + contextCut(groups[0][index]), "\(name) \(index)")
                let values = try #require(golden["log_likelihoods"]?.array).compactMap(\.double)
                for (value, own) in zip(values, scored[0].questions[index].logLikelihoods) { largest = max(largest, abs(value - own)) }
                let wanted = values.indices.reduce(0) { values[$1] > values[$0] ? $1 : $0 }
                #expect(scored[0].questions[index].choice == wanted && scored[0].questions[index].isRight == (golden["acc"]?.double == 1), "\(name) \(index)")
                if let norm = golden["acc_norm"]?.double { #expect(scored[0].questions[index].isRightNormalized == (norm == 1), "\(name) \(index)") }
                questions += 1
            }
        }
        #expect(runs == 24 && questions == 80 && largest < 1e-3, "\(runs) runs, \(questions) questions, largest difference \(largest)")
        print("golden scores, \(isLayerwise ? "layer by layer from the checkpoint" : "f16 file"): largest difference of a log-likelihood \(largest)")
    }

    private func contextCut(_ question: TokenizedQuestion) -> Int {
        // The first context is that of the first choice.
        question.dropped == 0 ? 0 : question.dropped - ((question.choices.map(\.continuation.count).max() ?? 0) - question.choices[0].continuation.count)
    }

    private func expect(_ accuracy: Accuracy, _ run: JSONValue, _ key: String) throws {
        let mean = try #require(run[key]?.double), error = try #require(run["\(key)_stderr"]?.double)
        #expect(abs(accuracy.mean - mean) < 1e-12 && abs((accuracy.standardError ?? -1) - error) < 1e-12, "\(run["task"]?.string ?? "") \(key) \(accuracy)")
    }

    /// A question's figures are the same bits alone, after others, with few rows of logits, and in batches of any size.
    @Test func figuresDoNotDependOnTheWay() throws {
        for (name, shots) in [("headqa_en", 0), ("mmlu", 2), ("pubmedqa", 0)] {
            let (file, examples) = try GoldenModel.task(name, fewshot: shots)
            let groups = try tokenized(file, examples)
            let expected = try scores(session(), groups)
            #expect(try scores(session(rows: 1), groups) == expected, "\(name)")
            let resumed = try scores(session(), groups) { group, index in index != groups[group].count - 1 }
            for group in groups.indices { #expect(resumed[group].last == expected[group].last && resumed[group].count(where: { $0 != nil }) == 1, "\(name)") }
            if name == "headqa_en" { #expect(try scores(layerwise(budget: 1), groups) == scores(layerwise(), groups)) }
        }
    }

    /// The same bits as the session's, from the same file.
    @Test func layerByLayerIsAsItRuns() throws {
        let reader = try ModelFileReader(path: GoldenModel.q4.get().file)
        let model = try LlamaModel(reader: reader)
        let (file, examples) = try GoldenModel.task("headqa_en", fewshot: 1)
        let groups = try tokenized(file, examples)
        let session = try LlamaSession(model: model, context: 512, logitRows: 8, element: .f16, kernels: kernels, pool: pool)
        let source = try ModelFileSource(reader: reader, kernels: kernels, dropsCache: false)
        let layers = LayerwiseScorer(
            model: source, arithmetic: LayerArithmetic(products: .int8(.exact), cache: .f16), budget: 1 << 30, kernels: kernels, pool: pool)
        #expect(try scores(layers, groups) == scores(SessionScorer(session: session, kernels: kernels), groups))
    }

    @Test func longContextsLoseTheirBeginning() throws {
        let text = (0..<40).map { "word\($0)" }.joined(separator: " ") + "\nAnswer:"
        let whole = tokenizer.encode(text, addBOS: true, parseSpecial: false)
        let question = try TokenizedQuestion(text: text, choices: ["yes", "it is not given"], tokenizer: tokenizer, window: 20)
        for choice in question.choices {
            let context = question.contexts[choice.context]
            // The last token is asked for and not read.
            #expect(context.count + choice.continuation.count == 21 && Array(whole.suffix(context.count)) == context)
        }
        #expect(question.contexts.count == 2 && question.dropped == whole.count + question.choices[1].continuation.count - 21)
        let error = #expect(throws: TaskError.self) {
            _ = try TokenizedQuestion(text: "Q\nAnswer:", choices: ["one two three four five six seven eight"], tokenizer: tokenizer, window: 4)
        }
        #expect(error?.description.contains("expected at most the window of 4; raise --context") == true)
    }
}
