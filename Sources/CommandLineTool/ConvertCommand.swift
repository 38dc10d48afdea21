import ArgumentParser
import ByteStorage
import ChatTemplates
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
            Reads every shard once, from its first byte to its last, and needs less than 512 MiB of memory for a model of any size \
            (with --calibration more: a Hessian of 28672 columns takes 1.6 GB). \
            The file appears under its name only when it is whole and on disk; the same input and options give the same bytes. \
            Shards are compared with the SHA-256 that the download recorded, where it did.

            Types: q3 (3.29 bits per weight), q4s (4.29), q4 (4.54), q5 (5.29), q6 (6.29), q8 (8.29), f16. Norms are stored as f32. With types \
            below q8 the output head is stored as q8, because it decides over every token and is a small part of the file; the embedding \
            gets the asked type, unless it is also the output head.

            With --target-bpw, --target-size or --fit-ram every tensor gets the type that keeps the expected loss least within the \
            target, which is never exceeded. Bits per weight count every byte of every tensor over all parameters. Loss is the sum over the \
            tensors of sensitivity x relative squared error. The errors are measured on a sample of each tensor; the sensitivities by 'quern sensitivity' \
            (--sensitivities), or they are an estimate by kind of tensor, made without data. --dry-run shows the plan; it stands in the file, too.

            With --feedback the rounding error of a column is compensated by the columns after it, as far as their inputs go together (LDLQ, the \
            order of work of GPTQ). How far they do is measured by calibrate; without --calibration it is estimated from the weights themselves. SQNR gets \
            lower by that, and the divergence from the original much lower. It takes several times as long.

            SQNR is 10 log10 of the sum of squared weights over the sum of squared errors. The mean counts each tensor once; \
            tensors that lost nothing are left out. Peak memory is the process's largest resident set (VmHWM), page cache not included.

            \(ExitCodes.help)
            """)

    @Argument(help: "The checkpoint's folder: safetensors shards, config.json, tokenizer.", completion: .directory)
    var folder: String

    @Option(name: .shortAndLong, help: ArgumentHelp("The file to write (default: FOLDER-TYPE.quern, here).", valueName: "file"))
    var output: String?

    @Option(help: "Storage type of the matrices. (default: q4)") var type: TypeOption?
    @Option(name: .customLong("target-bpw"), help: ArgumentHelp("Mix types: at most so many bits per weight.", valueName: "bits")) var targetBitsPerWeight: Double?
    @Option(name: .customLong("target-size"), help: ArgumentHelp("Mix types: a file of at most this size, for example 36GiB.", valueName: "size"))
    var targetSize: ByteCountOption?
    @Option(name: .customLong("fit-ram"), help: ArgumentHelp(
        "Mix types: weights, fp16 cache and buffers for --context tokens within this memory, for example 48GiB. Leave the system and other programs their part.", valueName: "size"))
    var memory: ByteCountOption?
    @Option(name: .customLong("embedding-type"), help: "Storage type of the embedding. Default: that of the matrices, or of the output head where both are one tensor; chosen where types are mixed.") 
    var embeddingType: TypeOption?
    @Option(name: .customLong("output-type"), help: "Storage type of the output head. Default: q8 with smaller types of the matrices, else that; chosen where types are mixed.") 
    var outputType: TypeOption?
    @Option(name: .customLong("tensor-type"), help: ArgumentHelp(
        "Storage type of every matrix whose name contains NAME; may be given several times, the last that fits counts.", valueName: "name=type"))
    var tensorTypes: [PinOption] = []
    @Option(help: ArgumentHelp("Second moments of the layers' inputs, made by calibrate. Errors are then fed back, unless --no-feedback is given.", valueName: "file"))
    var calibration: String?
    @Option(help: ArgumentHelp("What an error of each matrix costs, made by sensitivity. Only where types are mixed.", valueName: "file"), completion: .file())
    var sensitivities: String?
    @Flag(inversion: .prefixedNo, help: ArgumentHelp(
        "Feed the error of each column back to the columns after it. Default: with --calibration."))
    var feedback: Bool?
    @Flag(name: .customLong("no-importance"), help: "With --calibration and --no-feedback: do not weigh a column's errors by the size of its input either.")
    var noImportance = false
    @Flag(name: .customLong("fit-grids"), inversion: .prefixedNo, help: "Fit the grids of q5, q4, q4s and q3 to each tensor. Default: with --calibration.")
    var fitGrids: Bool?
    @Option(name: .customLong("chat-format"), help: ArgumentHelp(
        "Chat format that run --chat and chat use: \(ChatFormat.builtInNames.joined(separator: ", ")), or \(ChatFormat.ownTemplate) for the checkpoint's own. Default: its own, else by its name.",
        valueName: "name"))
    var chatFormat: String?
    @Option(help: "Worker threads (default: as many as this process may use).") var threads: Int?
    @Option(help: "Tokens of context for --fit-ram and the memory estimate of --dry-run (default: the model's, at most 4096).") var context: Int?
    @Flag(name: .customLong("dry-run"), help: "Check everything, show the plan and write nothing.") var dryRun = false
    @Flag(help: "Write JSON lines to the standard output stream.") var json = false

    func validate() throws {
        for type in [type, embeddingType, outputType].compactMap({ $0?.type }) + tensorTypes.map(\.pin.type) where !TypeChoice.choices.contains(type) {
            throw ValidationError("'\(type)' is for norms; choose one of \(TypeChoice.choices.map(\.name).joined(separator: ", ")).")
        }
        let targets = [targetBitsPerWeight.map { _ in "--target-bpw" }, targetSize.map { _ in "--target-size" }, memory.map { _ in "--fit-ram" }].compactMap { $0 }
        if targets.count > 1 { throw ValidationError("\(targets.joined(separator: " and ")) exclude each other; give one target.") }
        if let target = targets.first, type != nil { throw ValidationError("--type is one type for all matrices and \(target) mixes types; give one of them.") }
        if sensitivities != nil, targets.isEmpty { throw ValidationError("--sensitivities is for mixed types; give --target-bpw, --target-size or --fit-ram as well.") }
        if let bits = targetBitsPerWeight, !(bits > 0 && bits <= 32) { throw ValidationError("--target-bpw must be above 0 and at most 32, not \(bits).") }
        if let threads, !(1...1024).contains(threads) { throw ValidationError("--threads must be 1 ... 1024, not \(threads).") }
        if let context, !(1...(1 << 24)).contains(context) { throw ValidationError("--context must be 1 ... \(1 << 24), not \(context).") }
    }

    func run() throws {
        try ErrorPresentation.run(json: json) {
            let kernels = try KernelSet.selected()
            let output = output ?? Preflight.defaultOutput(folder: folder, label: label)
            let request = TypeRequest(
                try matrices(), embedding: embeddingType?.type, output: outputType?.type, pins: tensorTypes.map(\.pin))
            let plan = try Preflight(
                folder: folder, output: output, types: request,
                weighting: ErrorWeighting(feedsBack: feedback ?? (calibration != nil || request.isMixed), weighsColumns: !noImportance,
                    fitsGrids: fitGrids ?? (calibration != nil)), calibration: calibration, sensitivities: sensitivities,
                chatFormat: chatFormat, context: context, isDryRun: dryRun)
            .check(kernels: kernels, threads: threads ?? CPUFacts().defaultThreads)
            for note in plan.model.notes { Terminal.note("quern: note: \(note)") }
            // For its notes
            if let context { _ = try ContextChoice(requested: context, configuration: plan.model.configuration) }
            if let mixture = plan.types.mixture {
                Terminal.note("quern: note: types are mixed; sensitivities: \(mixture.basis)")
                if mixture.isSaturated {
                    Terminal.note(
                        "quern: note: the target of \(mixture.target.description) is more than the most exact types need: "
                            + "\(Quantities.fixed(plan.bitsPerWeight, 3)) bits per weight; f16 is not mixed in")
                }
            }
            if dryRun {
                PlanReport(plan: plan, output: output, context: context).show(json: json)
            } else {
                try convert(plan, to: output, kernels)
            }
        }
    }

    private var label: String {
        if let bits = targetBitsPerWeight { return "\(bits)bpw" }
        if let size = targetSize { return size.text }
        if let memory { return "\(memory.text)-ram" }
        return (type ?? TypeOption(.q4)).type.name
    }

    /// The context of --fit-ram is the model's, at most 4096, where none is given; an unreadable config is reported by the preflight.
    private func matrices() throws -> TypeRequest.Matrices {
        if let bits = targetBitsPerWeight { return .mixed(.bitsPerWeight(bits)) }
        if let size = targetSize { return .mixed(.fileBytes(size.bytes)) }
        if let memory { return .mixed(.memory(memory.bytes, context: context ?? CheckpointModel.defaultContext(folder: folder))) }
        return .all((type ?? TypeOption(.q4)).type)
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
                    + "\(plan.model.checkpoint.shards.count == 1 ? "" : "s") to \(output) (\(plan.types.mixture?.target.description ?? (type ?? TypeOption(.q4)).type.name)), \(threads) thread\(threads == 1 ? "" : "s"), \(kernels.name)")
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

/// NAME=TYPE.
struct PinOption: ExpressibleByArgument {
    let pin: TypeRequest.Pin

    init?(argument: String) {
        guard let sign = argument.lastIndex(of: "="), sign > argument.startIndex,
            let type = StorageType(name: argument[argument.index(after: sign)...])
        else { return nil }
        pin = TypeRequest.Pin(part: String(argument[..<sign]), type: type)
    }
}

/// A number of bytes with an optional unit: 36GiB, 48GB, 500MB, 1.5TiB, 123456789.
struct ByteCountOption: ExpressibleByArgument {
    let bytes: UInt64
    let text: String

    init?(argument: String) {
        let units: [(String, Double)] = [
            ("KiB", 0x1p10), ("MiB", 0x1p20), ("GiB", 0x1p30), ("TiB", 0x1p40), ("kB", 1e3), ("KB", 1e3), ("MB", 1e6), ("GB", 1e9), ("TB", 1e12), ("B", 1), ("", 1),
        ]
        let (suffix, factor) = units.first { argument.hasSuffix($0.0) }!
        let digits = argument.dropLast(suffix.count)
        guard let first = digits.first, first.isASCII, first.isNumber, digits.allSatisfy({ $0.isASCII && ($0.isNumber || $0 == ".") }),
            let value = Double(digits), value * factor >= 1, value * factor < 0x1p62
        else { return nil }
        bytes = UInt64(value * factor)
        text = argument
    }
}
