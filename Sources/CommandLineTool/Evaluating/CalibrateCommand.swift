import Architectures
import ArgumentParser
import ByteStorage
import Calibration
import CalibrationFiles
import Conversion
import HostFacts
import Kernels
import LayerwiseInference
import ModelFiles
import StrictJSON
import Tokenization

struct CalibrateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "calibrate", abstract: "Measures which weights of a checkpoint matter, for convert --calibration.",
        discussion: """
            Runs the original model in f32 over windows of 512 tokens of the text, layer by layer, and writes the mean square of every input of \
            every linear layer; with --hessians also the mean products of all pairs. The layer that is computed and the windows' activations are \
            in memory, nothing else of the model. The same checkpoint, text and options give the same bytes.

            Without --text the model writes the text itself: sampling at temperature 1 from the begin token. Every token of it needs all weights \
            once, so for a large model give --sample-from, a .quern file of it, which is smaller and faster.

            With --through, the inputs of each layer are what the quantized layers before it give, instead of the original ones (the sequential inputs \
            of GPTQ): calibrate, convert, calibrate again through that file, convert again with the second calibration.

            A run of more than half a minute keeps what is done in hidden files beside the output; the same command goes on from there.

            \(ExitCodes.help)
            """)

    @Argument(help: "The checkpoint's folder.", completion: .directory) var folder: String
    @Option(help: "The text, UTF-8. Take one like what the model will be used for.", completion: .file()) var text: String?
    @Option(name: .shortAndLong, help: ArgumentHelp("The file to write (default: FOLDER.qcal, here).", valueName: "file")) var output: String?
    @Option(help: "Use N windows, spread evenly over the text.") var windows = 64
    @Flag(help: "Also the mean products of all pairs: 2 K (K + 1) bytes for each input of K values.") var hessians = false
    @Option(name: .customLong("sample-from"), help: ArgumentHelp("Without --text: let this .quern file write the text.", valueName: "file"), completion: .file())
    var sampleFrom: String?
    @Option(help: "Without --text: seed of the sampling.") var seed: UInt64 = 1
    @Option(help: ArgumentHelp("Take the inputs from this .quern file of the checkpoint instead.", valueName: "file"), completion: .file(extensions: ["quern"]))
    var through: String?
    @OptionGroup var computing: LayerwiseOptions
    @Flag(help: "Write one JSON object.") var json = false

    func validate() throws {
        if windows < 1 { throw ValidationError("--windows must be at least 1.") }
        if text != nil && sampleFrom != nil { throw ValidationError("--text and --sample-from exclude each other.") }
    }

    func run() throws {
        try ErrorPresentation.run(json: json) {
            let start = Terminal.seconds()
            let kernels = try KernelSet.selected()
            let output = output ?? defaultOutput
            try OutputFile.check(output, earlier: ("calibration file", CalibrationFile.start))
            let checkpoint = try CheckpointModel.open(folder: folder)
            let model = try CheckpointSource(checkpoint)
            let pool = WorkerPool(threads: computing.chosenThreads)
            try checkMemory(model.configuration, pool)
            var meter = StepMeter(isQuiet: json)
            let (tokens, source) = try makeText(checkpoint, model, kernels, pool, &meter)
            let job = CalibrationJob(
                plan: CalibrationJob.Plan(
                    model: model, runs: try through.map { try quantized($0, of: model, kernels) }, windows: tokens, hessians: hessians ? Set(LinearInput.allCases) : [],
                    provenance: [
                        "generator": ["name": JSONValue(ToolVersion.name), "version": JSONValue(ToolVersion.text)], "text": JSONValue(source),
                        "options": ["windows": JSONValue(windows)],
                    ], output: output),
                budget: budget, kernels: kernels, pool: pool)
            Interruption.install {
                let isKept = job.abandon()
                if Terminal.errorIsTerminal { Terminal.write("\r\u{1B}[K") }
                Terminal.note("quern: interrupted: nothing was written to \(output)\(isKept ? "; the same command goes on from here" : "")")
            }
            var keptAt = Terminal.seconds()
            meter.restart()
            let id = try job.run(keep: {
                guard Terminal.seconds() - keptAt > 30 else { return false }
                keptAt = Terminal.seconds()
                return true
            }) { progress in
                meter.show("layer \(progress.done) of \(progress.total)", done: Double(progress.done - progress.resumed), of: Double(progress.total - progress.resumed))
            }
            meter.clear()
            try show(output, id, tokens.count, seconds: Terminal.seconds() - start)
        }
    }

    private func quantized(_ path: String, of model: CheckpointSource, _ kernels: KernelSet) throws -> any LayerwiseModel {
        let file = try EvaluatedFile(path: path, kernels: kernels)
        let made = file.reader.metadata.sources.map { "\($0.name) \($0.bytes)" }.sorted(), found = model.shards.map { "\($0.name) \($0.bytes)" }.sorted()
        guard file.source.configuration == model.configuration, made == found else {
            throw ConversionError("\(path): it was not made from \(folder): config or shards differ; give a file that was converted from this checkpoint")
        }
        return file.source
    }

    private var defaultOutput: String {
        let name = AtomicFileWriter.split(Folders.canonical(folder) ?? folder).name
        return "\(name.isEmpty || name == "." ? "model" : name).qcal"
    }

    private var budget: Int { computing.budget() }

    private func checkMemory(_ configuration: LlamaConfiguration, _ pool: WorkerPool) throws {
        let inputs = hessians ? Set(LinearInput.allCases) : []
        func needed(_ windows: Int) -> Int {
            CalibrationJob.memory(configuration, windows: windows, windowSize: TextWindows.standardSize, hessians: inputs, threads: pool.threads)
        }
        guard needed(windows) > budget else { return }
        let most = (1..<max(windows, 2)).last { needed($0) <= budget } ?? 0
        throw ConversionError(
            "\(folder): \(windows) windows need \(Quantities.bytes(UInt64(needed(windows)))) of memory, \(Quantities.bytes(UInt64(budget))) may be used; "
                + (most > 0 ? "give --windows \(most), or more with --memory" : "give more with --memory" + (hessians ? ", or leave --hessians out" : "")))
    }

    /// The windows' tokens, and what the file says about them.
    private func makeText(
        _ checkpoint: CheckpointModel, _ model: CheckpointSource, _ kernels: KernelSet, _ pool: WorkerPool, _ meter: inout StepMeter
    ) throws -> ([[Int32]], JSONObject) {
        let tokenizer = try TokenizeCommand.open(folder)
        guard let text else { return try sampleText(checkpoint, model, tokenizer, kernels, pool, &meter) }
        let bytes = try InputText.readFile(text)
        let windowed = try TextWindows(bytes, path: text, tokenizer: tokenizer, limit: windows)
        if windowed.windows.count < windows, !json { Terminal.note("\(text): has \(windowed.available) windows of \(windowed.size) tokens, all are used") }
        return (windowed.windows, ["kind": "file", "bytes": JSONValue(bytes.count), "sha256": JSONValue(Digest32.of(bytes).hex)])
    }

    private func sampleText(
        _ checkpoint: CheckpointModel, _ model: CheckpointSource, _ tokenizer: Tokenizer, _ kernels: KernelSet, _ pool: WorkerPool, _ meter: inout StepMeter
    ) throws -> ([[Int32]], JSONObject) {
        guard let begin = tokenizer.beginID else { throw ConversionError("\(folder): the tokenizer has no begin token to sample from; give --text") }
        var writer: (any LayerwiseModel, LayerArithmetic) = (model, .floats)
        if let sampleFrom {
            let file = try EvaluatedFile(path: sampleFrom, kernels: kernels)
            guard file.source.configuration.vocabulary == model.configuration.vocabulary else {
                throw ConversionError("\(sampleFrom): vocabulary of \(file.source.configuration.vocabulary) tokens, \(folder) has \(model.configuration.vocabulary)")
            }
            writer = (file.source, LayerArithmetic(products: .int8(.exact), cache: .f16))
        }
        let sampled = SampledText(model: writer.0, arithmetic: writer.1, windows: windows, seed: seed)
        let tokens = try sampled.write(
            begin: begin, ends: Set(checkpoint.configuration.endTokens.map { Int32($0) }), budget: budget, kernels: kernels, pool: pool
        ) { meter.show("sampling text", done: $0, of: 1) }
        var source: JSONObject = ["kind": "sampled", "seed": JSONValue(seed)]
        if sampleFrom != nil { source.set("model", JSONValue(writer.0.identity.hex)) }
        return (tokens, source)
    }

    private func show(_ output: String, _ id: Digest32, _ windows: Int, seconds: Double) throws {
        let file = try CalibrationFile.open(output)
        let bytes = try ReadableFile(path: output).size
        if json {
            Terminal.document([
                "file": JSONValue(output), "id": JSONValue(id.hex), "file_bytes": JSONValue(bytes), "entries": JSONValue(file.entries.count),
                "windows": JSONValue(windows), "tokens": JSONValue(windows * TextWindows.standardSize), "hessians": JSONValue(hessians), "seconds": JSONValue(seconds),
                "peak_memory_bytes": JSONValue(MachineMemory.peakResident() ?? 0),
            ])
        } else {
            print("""
                \(output)
                  id           \(id.hex)
                  size         \(Quantities.bytes(bytes)), \(file.entries.count) entries\(hessians ? ", with Hessians" : "")
                  text         \(windows) windows, \(windows * TextWindows.standardSize) tokens\(text == nil ? ", written by the model" : "")
                  time         \(Quantities.duration(seconds))
                  peak memory  \(Quantities.bytes(MachineMemory.peakResident() ?? 0)) resident (VmHWM)
                """)
        }
    }
}
