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

struct SensitivityCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sensitivity", abstract: "Measures what an error of each matrix costs, for convert --sensitivities.",
        discussion: """
            Runs the original model in f32 over windows of 512 tokens of the text, layer by layer, and beside it, for each matrix of the layers that are \
            tried, the model with noise in this matrix alone. The divergence of each from the original, over the relative squared error of the noise, is \
            the matrix's sensitivity. Layers that are not tried get values between those of their neighbours. The same checkpoint, text and options give \
            the same bytes.

            The model is read once. The time is that of 7 x (half of the tried layers) passes over the windows, and a few more.

            \(ExitCodes.help)
            """)

    @Argument(help: "The checkpoint's folder.", completion: .directory) var folder: String
    @Option(help: "The text, UTF-8. Take one like what the model will be used for.", completion: .file()) var text: String
    @Option(name: .shortAndLong, help: ArgumentHelp("The file to write (default: FOLDER.qsens, here).", valueName: "file")) var output: String?
    @Option(help: "Use N windows, spread evenly over the text.") var windows = 4
    @Option(help: "Try the matrices of N layers; the first and the last two are among them.") var layers = 8
    @OptionGroup var computing: LayerwiseOptions
    @Flag(help: "Write one JSON object.") var json = false

    func validate() throws {
        if windows < 1 { throw ValidationError("--windows must be at least 1.") }
        if layers < 2 { throw ValidationError("--layers must be at least 2.") }
    }

    func run() throws {
        try ErrorPresentation.run(json: json) {
            let start = Terminal.seconds()
            let kernels = try KernelSet.selected()
            let output = output ?? defaultOutput
            try OutputFile.check(output, earlier: ("sensitivity file", SensitivityFile.start))
            let checkpoint = try CheckpointModel.open(folder: folder)
            let model = try CheckpointSource(checkpoint)
            let pool = WorkerPool(threads: computing.chosenThreads)
            let bytes = try InputText.readFile(text)
            let windowed = try TextWindows(bytes, path: text, tokenizer: TokenizeCommand.open(folder), limit: windows)
            let tried = SensitivityJob.spread(layers, over: model.configuration.layers)
            try checkMemory(model.configuration, windowed.windows.count, tried.count, pool)
            let job = SensitivityJob(model: model, windows: windowed.windows, scored: windowed.scored, layers: tried, kernels: kernels, pool: pool)
            var meter = StepMeter(isQuiet: json)
            let measured = try job.run { meter.show("measuring", done: $0, of: 1) }
            meter.clear()
            let values = checkpoint.tensors.filter { !$0.expected.role.isNorm }.map { tensor in
                (name: tensor.expected.name, value: SensitivityJob.value(tensor.expected.role, layer: tensor.expected.layer, of: measured))
            }
            let file = SensitivityFile.encoded(configDigest: model.configDigest, values: values, provenance: [
                "generator": ["name": JSONValue(ToolVersion.name), "version": JSONValue(ToolVersion.text)],
                "text": ["kind": "file", "bytes": JSONValue(bytes.count), "sha256": JSONValue(Digest32.of(bytes).hex)],
                "windows": JSONValue(windowed.windows.count), "window_size": JSONValue(windowed.size), "relative_error": JSONValue(job.relativeError),
                "measured_layers": JSONValue(tried.map { JSONValue($0) }),
            ])
            try AtomicFileWriter.write(file, to: output)
            show(output, measured, windowed.windows.count, tried, seconds: Terminal.seconds() - start)
        }
    }

    private var defaultOutput: String {
        let name = AtomicFileWriter.split(Folders.canonical(folder) ?? folder).name
        return "\(name.isEmpty || name == "." ? "model" : name).qsens"
    }

    private func checkMemory(_ configuration: LlamaConfiguration, _ windows: Int, _ layers: Int, _ pool: WorkerPool) throws {
        let budget = computing.budget()
        let needed = SensitivityJob.memory(configuration, windows: windows, windowSize: TextWindows.standardSize, layers: layers, threads: pool.threads)
        guard needed > budget else { return }
        throw ConversionError(
            "\(folder): \(windows) windows and \(layers) layers need \(Quantities.bytes(UInt64(needed))) of memory, \(Quantities.bytes(UInt64(budget))) may be used; "
                + "give fewer --windows or --layers, or more with --memory")
    }

    private func show(_ output: String, _ measured: [SensitivityJob.Measured], _ windows: Int, _ tried: [Int], seconds: Double) {
        let tokens = windows * TextWindows.standardSize
        if json {
            Terminal.document([
                "file": JSONValue(output), "windows": JSONValue(windows), "tokens": JSONValue(tokens), "measured_layers": JSONValue(tried.map { JSONValue($0) }),
                "seconds": JSONValue(seconds), "peak_memory_bytes": JSONValue(MachineMemory.peakResident() ?? 0),
            ])
            return
        }
        var table = TextTable(["kind", "smallest", "mean", "largest"])
        for role in TensorRole.allCases {
            let values = measured.filter { $0.role == role }.map(\.value)
            guard let least = values.min(), let most = values.max() else { continue }
            table.add([role.rawValue, Quantities.short(least), Quantities.short(values.reduce(0, +) / Double(values.count)), Quantities.short(most)])
        }
        print("""
            \(output)
              text         \(windows) windows, \(tokens) tokens
              layers       \(tried.map(String.init).joined(separator: ", "))
              time         \(Quantities.duration(seconds))
              peak memory  \(Quantities.bytes(MachineMemory.peakResident() ?? 0)) resident (VmHWM)

            nats per token over relative squared error:
            \(table.text)
            """)
    }
}
