import ArgumentParser
import ByteStorage
import Conversion
import Evaluation
import Inference
import Kernels
import LayerwiseInference
import ModelFiles
import StrictJSON
import Tokenization

struct EvalCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "eval", abstract: "Measures perplexity over a text or scores on tasks, and what a file lost against the original.",
        discussion: """
            With --text: the text is cut into windows of 512 tokens, the first replaced by the begin token; the last 255 predictions of each window count, \
            the remainder of the text is dropped. Perplexity is exp(mean of -ln p(true token)).

            With --against, the reference is the original checkpoint, computed in f32, or another .quern file, computed as it runs. KL \
            divergence is sum p ln(p / q) per prediction with p the reference's probabilities, in nats; same top is the share of \
            predictions where both find the same token likeliest; change of p is that of the true token's probability. All models go layer by \
            layer through a batch of windows, so neither has to fit into memory, and no logits are stored.

            --split shows which part of the divergence is which: weights alone, int8 activations, folded block scales in long \
            prompts (not with --exact), q8 key-value cache. Each step is the mean divergence with it minus the mean without it, token by token.

            Uncertainties are standard errors. That of the perplexity is the field's, which takes tokens as independent; all others are \
            the larger of that one and the one between windows, since predictions of one window are not independent.

            With --task: multiple-choice questions, scored as lm-evaluation-harness does: of each choice the log-likelihood behind the question; acc \
            takes the likeliest choice, acc_norm the likeliest per character. With --against, the answers that changed are listed, with \
            McNemar's test; a checkpoint's folder is computed in f32, layer by layer. --table puts results of several runs beside published ones.

            What is finished is kept in a small file beside FILE, of a text every half minute, removed at the end; the same command goes on from it.

            \(ExitCodes.help)
            """)

    @Argument(help: ArgumentHelp("The .quern file. With --table: result files.", valueName: "file"), completion: .file(extensions: ["quern"])) var files: [String]
    @Option(help: "The text, UTF-8.", completion: .file()) var text: String?
    @OptionGroup(title: "Options for tasks") var tasks: TaskOptions
    @Option(help: ArgumentHelp("The original checkpoint's folder, or a .quern file of the same model.", valueName: "reference"), completion: .file())
    var against: String?
    @Option(help: "Use N windows, spread evenly over the text.") var windows: Int?
    @Flag(help: "Show which part of the divergence comes from what.") var split = false
    @OptionGroup var computing: LayerwiseOptions
    @Option(help: "Element type of the key-value cache: f16, q8 or f32. Default: f32 for files with f16 weights, else f16.")
    var kv: KeyValueCache.Element?
    @Flag(help: "Multiply by 4-bit weights exactly, instead of folding block scales into 8 bits first as long prompts do.") var exact = false
    @Option(help: ArgumentHelp("Where to keep what is finished. Default: a file beside FILE.", valueName: "path"), completion: .file()) var resume: String?
    @Flag(help: "Write one JSON object.") var json = false

    private var file: String { files[0] }

    func validate() throws {
        if !tasks.table {
            guard files.count == 1 else { throw ValidationError("Give one .quern file.") }
            if text == nil, tasks.task.isEmpty { throw ValidationError("Give --text or --task: what to evaluate with.") }
            if text != nil, !tasks.task.isEmpty { throw ValidationError("--text and --task exclude each other.") }
        } else if text != nil || against != nil {
            throw ValidationError("--table reads results; leave --text and --against out.")
        }
        if !tasks.task.isEmpty, windows != nil || split { throw ValidationError("--windows and --split go with --text.") }
        if let windows, windows < 1 { throw ValidationError("--windows must be at least 1.") }
        if split && against == nil { throw ValidationError("--split needs --against: it divides the divergence from a reference.") }
    }

    func run() throws {
        try ErrorPresentation.run(json: json) {
            if tasks.table {
                let table = try ScoreTablePresentation.read(files)
                return json ? Terminal.document(table.document) : print(table.text)
            }
            if !tasks.task.isEmpty { return try runTasks() }
            let start = Terminal.seconds()
            let kernels = try KernelSet.selected()
            let own = try EvaluatedFile(path: file, kernels: kernels)
            let reference = try against.map { try EvaluatedReference(path: $0, of: own, kernels: kernels) }
            let text = try TextWindows(InputText.readFile(text!), path: text!, tokenizer: own.tokenizer, limit: windows)
            let stages = EvaluationStages(file: own, element: kv, isExact: exact, split: split)
            let evaluation = StreamedEvaluation(
                variants: stages.variants, reference: reference?.variant, budget: computing.budget(atMost: Self.largestBudget), kernels: kernels,
                pool: WorkerPool(threads: computing.chosenThreads))
            let key = EvaluationProgressFile.key(evaluation, text, version: ToolVersion.text)
            let kept = EvaluationProgressFile(
                path: resume ?? "\(file).eval-\(key.hex.prefix(8)).progress", key: key, evaluation: evaluation, text: text)
            var progress = EvaluationProgress(file: kept, isQuiet: json)
            let finished = try kept.load() ?? []
            if !finished.isEmpty, !json { Terminal.note("\(kept.path): going on behind window \(finished.count) of \(text.windows.count)") }
            let figures = try evaluation.run(text, finished: finished) { progress.show($0, resumed: finished.count) }
            progress.finish()
            let report = EvaluationReport(
                figures: figures, stages: stages, text: text, identity: own.source.identity, referenceNote: reference?.note, seconds: Terminal.seconds() - start)
            if json { Terminal.document(report.document) } else { print(report.text) }
        }
    }

    /// More does not make it faster by much.
    static let largestBudget = 4_000_000_000
}
