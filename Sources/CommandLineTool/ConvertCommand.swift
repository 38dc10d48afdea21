import ArgumentParser
import ByteStorage
import Conversion
import HostFacts
import Kernels
import Safetensors
import StrictJSON
import Tensors

struct ConvertCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "convert", abstract: "Converts a safetensors checkpoint into one .quern file.",
        discussion: """
            Reads every shard once, from its first byte to its last, and needs less than 512 MiB of memory for a model of any size. \
            The file appears under its name only when it is whole and on disk; the same input and options give the same bytes. \
            Shards are compared with the SHA-256 that the download recorded, where it did.

            Types: q4 (4.54 bits per weight), q4s (4.29), q8 (8.29), f16. Norms are stored as f32. With q4 and q4s the output head \
            is stored as q8, because it decides over every token and is a small part of the file; the embedding gets the asked type, \
            unless it is also the output head.

            With --feedback the rounding error of a column is compensated by the columns after it, as far as their inputs go together (LDLQ, the \
            order of work of GPTQ). How far they do is measured by calibrate; without --calibration it is estimated from the weights themselves. SQNR gets \
            lower by that, and the divergence from the original much lower. It takes several times as long.

            SQNR is 10 log10 of the sum of squared weights over the sum of squared errors. The mean counts each tensor by its weights; \
            tensors that lost nothing are left out. Peak memory is the process's largest resident set (VmHWM), page cache not included.

            \(ExitCodes.help)
            """)

    @Argument(help: "The checkpoint's folder: safetensors shards, config.json, tokenizer.", completion: .directory)
    var folder: String

    @Option(name: .shortAndLong, help: ArgumentHelp("The file to write (default: FOLDER-TYPE.quern, here).", valueName: "file"))
    var output: String?

    @Option(help: "Storage type of the matrices.") var type = TypeOption(.q4)
    @Option(name: .customLong("embedding-type"), help: "Storage type of the embedding. Default: that of the matrices, or of the output head where both are one tensor.") 
    var embeddingType: TypeOption?
    @Option(name: .customLong("output-type"), help: "Storage type of the output head. Default: q8 with q4 and q4s, else that of the matrices.") 
    var outputType: TypeOption?
    @Option(help: ArgumentHelp("Second moments of the layers' inputs, made by calibrate. Errors are then fed back, unless --no-feedback is given.", valueName: "file"))
    var calibration: String?
    @Flag(inversion: .prefixedNo, help: ArgumentHelp(
        "Feed the error of each column back to the columns after it. Default: with --calibration."))
    var feedback: Bool?
    @Flag(name: .customLong("no-importance"), help: "With --calibration and --no-feedback: do not weigh a column's errors by the size of its input either.")
    var noImportance = false
    @Option(help: "Worker threads (default: as many as this process may use).") var threads: Int?
    @Option(help: "Tokens of context for the memory estimate of --dry-run (default: the model's, at most 4096).") var context: Int?
    @Flag(name: .customLong("dry-run"), help: "Check everything, show the plan and write nothing.") var dryRun = false
    @Flag(help: "Write JSON lines to the standard output stream.") var json = false

    func validate() throws {
        for type in [type, embeddingType, outputType].compactMap({ $0?.type }) where !TypeChoice.choices.contains(type) {
            throw ValidationError("'\(type)' is for norms; choose one of \(TypeChoice.choices.map(\.name).joined(separator: ", ")).")
        }
        if let threads, !(1...1024).contains(threads) { throw ValidationError("--threads must be 1 ... 1024, not \(threads).") }
        if let context, !(1...(1 << 24)).contains(context) { throw ValidationError("--context must be 1 ... \(1 << 24), not \(context).") }
    }

    func run() throws {
        try ErrorPresentation.run(json: json) {
            let kernels = try KernelSet.selected()
            let output = output ?? Preflight.defaultOutput(folder: folder, type: type.type)
            let plan = try Preflight(
                folder: folder, output: output, type: type.type, embedding: embeddingType?.type, outputHead: outputType?.type,
                weighting: ErrorWeighting(feedsBack: feedback ?? (calibration != nil), weighsColumns: !noImportance), calibration: calibration, isDryRun: dryRun
            ).check()
            for note in plan.model.notes { Terminal.note("quern: note: \(note)") }
            if dryRun {
                PlanReport(plan: plan, output: output, context: context).show(json: json)
            } else {
                try convert(plan, to: output, kernels)
            }
        }
    }

    private func convert(_ plan: ConversionPlan, to output: String, _ kernels: KernelSet) throws {
        if Folders.kind(of: output) == .file { Terminal.note("quern: note: \(output) exists and will be replaced") }
        let threads = threads ?? CPUFacts().defaultThreads
        let start = Terminal.seconds()
        let job = ConversionJob(plan: plan, output: output, threads: threads, kernels: kernels)
        Interruption.install {
            let line = job.abandon() ? "nothing was written to \(output)" : "\(output) is complete"
            if Terminal.errorIsTerminal { Terminal.write("\r\u{1B}[K") }
            Terminal.note("quern: interrupted: \(line)")
        }
        if json {
            Terminal.line([
                "event": "start", "output": JSONValue(output), "source_bytes": JSONValue(plan.model.shardBytes), "threads": JSONValue(threads),
                "instruction_set": JSONValue(kernels.name),
            ])
        } else {
            Terminal.note(
                "\(folder): \(Quantities.bytes(plan.model.shardBytes)) in \(plan.model.checkpoint.shards.count) shard"
                    + "\(plan.model.checkpoint.shards.count == 1 ? "" : "s") to \(output) (\(type.type)), \(threads) thread\(threads == 1 ? "" : "s"), \(kernels.name)")
        }
        var bar = ProgressBar("converting", json: json)
        let result: ConversionJob.Result
        do {
            result = try job.run { bar.show($0.bytes, of: $0.total) }
            bar.clear()
        } catch {
            bar.clear()
            throw error
        }
        ConversionSummary(result: result, output: output, seconds: Terminal.seconds() - start).show(json: json)
    }
}

/// A storage type as an option's value. On its own: the help shows an enumeration's cases by their raw values, here numbers.
struct TypeOption: ExpressibleByArgument {
    let type: StorageType

    init(_ type: StorageType) { self.type = type }

    init?(argument: String) {
        guard let type = StorageType(name: argument) else { return nil }
        self.type = type
    }

    var defaultValueDescription: String { type.name }
    static var allValueStrings: [String] { TypeChoice.choices.map(\.name) }
}
