import Architectures
import ArgumentParser
import ByteStorage
import Conversion
import HostFacts
import Kernels
import ModelFiles
import Reporting

struct ReportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report", abstract: "Writes one page (HTML) about a .quern file: its size, its error, where it came from.",
        discussion: """
            The page needs nothing else: no network, no script. It reads well on a screen and on paper. It holds a summary with the verdict on the \
            gates, SQNR by layer and kind, error against bits, the divergence that evaluations measured, the worst tensors and rows, how codes \
            and scales are used, the SHA-256 of the sources, and every tensor. The same file, evaluations and options give the same bytes.

            Every tensor's SHA-256 is compared first. With --against the error figures are computed anew from the checkpoint, too. \
            --eval takes what 'quern eval FILE --text TEXT --against FOLDER --json' writes. A gate holds for each evaluation that has its figure.

            Codes are counted in at most \(CodeCounting.mostBytesPerType >> 20) MiB per storage type; of larger files in every n-th panel, which the page says.

            \(ExitCodes.help(gate: "2 a gate is not met; "))
            """)

    @Argument(help: "The .quern file.", completion: .file(extensions: ["quern"])) var file: String
    @Option(name: .shortAndLong, help: ArgumentHelp("The page to write (default: FILE-report.html, here).", valueName: "file"), completion: .file()) 
    var output: String?
    @Option(help: ArgumentHelp("The checkpoint that the file was made from.", valueName: "folder"), completion: .directory) var against: String?
    @Option(parsing: .upToNextOption, help: ArgumentHelp("Evaluations of the file: JSON of 'quern eval'.", valueName: "json"), completion: .file()) 
    var eval: [String] = []
    @Option(help: ArgumentHelp("What the page calls the model.", valueName: "text")) var title: String?
    @Option(name: .customLong("min-sqnr"), help: ArgumentHelp("Gate: SQNR of the worst tensor.", valueName: "dB")) var minimumDecibels: Double?
    @Option(name: .customLong("max-kld"), help: ArgumentHelp("Gate: mean KL divergence.", valueName: "nats")) var largestDivergence: Double?
    @Option(name: .customLong("min-same-top"), help: ArgumentHelp("Gate: share of tokens with the same top token, in percent.", valueName: "percent")) 
    var smallestSameTop: Double?
    @Option(name: .customLong("max-perplexity-ratio"), help: ArgumentHelp("Gate: perplexity over that of the original.", valueName: "ratio")) 
    var largestPerplexityRatio: Double?
    @Flag(inversion: .prefixedNo, help: "Compare every tensor with its SHA-256.") var digests = true
    @Option(help: "Threads (default: as many as this process may use).") var threads: Int?

    func validate() throws {
        if let threads, !(1...1024).contains(threads) { throw ValidationError("--threads must be 1 ... 1024, not \(threads).") }
        if let minimumDecibels, !minimumDecibels.isFinite { throw ValidationError("--min-sqnr must be a number of decibels, not \(minimumDecibels).") }
        if let value = largestDivergence, !(value >= 0 && value.isFinite) { throw ValidationError("--max-kld must be a number of nats, 0 or more, not \(value).") }
        if let value = smallestSameTop, !(value > 1 && value <= 100) {
            throw ValidationError("--min-same-top must be in percent, above 1 and at most 100 (95 for 95 %), not \(value).")
        }
        if let value = largestPerplexityRatio, !(value > 0 && value.isFinite) { throw ValidationError("--max-perplexity-ratio must be above 0, not \(value).") }
        if eval.isEmpty, largestDivergence != nil || smallestSameTop != nil || largestPerplexityRatio != nil {
            throw ValidationError("--max-kld, --min-same-top and --max-perplexity-ratio need an evaluation: give one with --eval.")
        }
    }

    private var gates: Gates {
        var gates = Gates()
        gates.minimumDecibels = minimumDecibels
        gates.largestDivergence = largestDivergence
        gates.smallestSameTop = smallestSameTop.map { $0 / 100 }
        gates.largestPerplexityRatio = largestPerplexityRatio
        return gates
    }

    func run() throws {
        try ErrorPresentation.run {
            let threads = threads ?? CPUFacts().defaultThreads
            let reader = try ModelFileReader(path: file)
            // Whatever can be wrong with the inputs shows before anything takes long.
            let output = try ReportOutput(path: output ?? ReportOutput.defaultPath(file: file), inputs: [file] + eval)
            let configuration = try ErrorPresentation.naming(file) { try LlamaConfiguration(json: Array(reader.metadata.config.utf8)) }
            let reported = ReportedFile(reader)
            let evaluations = try eval.map { path in
                let result = try EvaluationResult(json: try ReadableFile(path: path).readAll(limit: EvaluationResult.largestFile), name: path)
                try result.check(belongsTo: reported, name: path)
                return result
            }
            let recorded = ModelFigures(reader.tensors.map { TensorFigures($0) })
            _ = try gates.outcomes(recorded, evaluations)
            let comparison = try against.map { folder in
                try SourceComparison(file: reader, model: try CheckpointModel.open(folder: folder, withTokenizer: false))
            }
            if digests { try verifyDigests(reader, threads) }
            let findings = try comparison.map { try compare($0, threads) }
            let report = try QualityReport(
                title: title, file: reported, configuration: configuration, figures: findings?.figures ?? recorded,
                comparison: findings.map { .recomputed(differences: $0.differences) } ?? .recorded, digestsVerified: digests,
                codes: try countCodes(reader), evaluations: evaluations, gates: gates)
            try output.write(report.page)
            try conclude(report, output)
        }
    }

    private func verifyDigests(_ reader: ModelFileReader, _ threads: Int) throws {
        let bar = SharedProgressBar("verifying")
        defer { bar.clear() }
        try reader.verify(threads: threads) { bar.show($0, of: $1) }
    }

    private func compare(_ comparison: SourceComparison, _ threads: Int) throws -> SourceComparison.Findings {
        var bar = ProgressBar("comparing", json: false)
        defer { bar.clear() }
        return try comparison.run(threads: threads, kernels: try KernelSet.selected()) { bar.show($0.bytes, of: $0.total) }
    }

    private func countCodes(_ reader: ModelFileReader) throws -> [CodeCounts] {
        var bar = ProgressBar("counting codes", json: false)
        defer { bar.clear() }
        return try CodeCounting.count(reader.tensors, in: try ReadableFile(path: file)) { bar.show($0, of: $1) }
    }

    private func conclude(_ report: QualityReport, _ output: ReportOutput) throws {
        print("\(output.path): report on \(file), \(Quantities.bytes(UInt64(report.page.count)))")
        for outcome in report.outcomes {
            print("  \(outcome.isMet ? "met    " : "NOT MET")  \(outcome.subject): \(outcome.measured), expected \(outcome.limit) (\(outcome.option))")
        }
        if report.outcomes.isEmpty { print("  no gates were stated") }
        if !report.differences.isEmpty {
            Terminal.note("quern: error: \(file): not what \(against ?? "") gives\n  \(report.differences.joined(separator: "\n  "))")
            throw ExitCodes.failure
        }
        for outcome in report.outcomes where !outcome.isMet {
            Terminal.note("quern: error: \(file): \(outcome.subject) is \(outcome.measured), expected \(outcome.limit) (\(outcome.option))")
        }
        if report.verdict == .fail { throw ExitCodes.gate }
    }
}
