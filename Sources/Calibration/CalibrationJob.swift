package import Architectures
package import CalibrationFiles
package import Kernels
package import LayerwiseInference
package import ModelFiles
package import StrictJSON
import Synchronization

/// Runs a model in f32 over windows of text, layer by layer, and writes the second moments of every linear layer's input.
///
/// Memory: the residual streams of all windows, the buffers of a few, and the Hessians of one layer.
package final class CalibrationJob: Sendable {
    package struct Plan: Sendable {
        /// The checkpoint that the calibration is for.
        package var model: CheckpointSource
        /// The model that is run: the checkpoint itself, or a quantized file of it, so that each layer's inputs are those that the quantized layers
        /// before it give.
        package var runs: any LayerwiseModel
        package var windows: [[Int32]]
        package var windowSize: Int
        /// Inputs whose Hessian is wanted beside the diagonal.
        package var hessians: Set<LinearInput>
        /// Members `text`, `generator` and `options` of the file's metadata.
        package var provenance: JSONObject
        package var output: String

        package init(
            model: CheckpointSource, runs: (any LayerwiseModel)? = nil, windows: [[Int32]], windowSize: Int = TextWindows.standardSize,
            hessians: Set<LinearInput>, provenance: JSONObject, output: String
        ) {
            precondition(runs.map { $0.configuration == model.configuration } ?? true, "a model of another shape is run")
            precondition(!windows.isEmpty && windows.allSatisfy { $0.count == windowSize }, "windows of unequal size")
            (self.model, self.runs, self.windows, self.windowSize, self.hessians) = (model, runs ?? model, windows, windowSize, hessians)
            (self.provenance, self.output) = (provenance, output)
        }
    }

    package struct Progress: Sendable {
        /// Layers done, the output head counting as one; where an earlier run had left off; how many there are.
        package let done, resumed, total: Int
    }

    package let plan: Plan
    private let kernels: KernelSet
    private let pool: WorkerPool
    private let groupWindows: Int
    private let state: CalibrationState
    private let isKept = Mutex(false)
    private let writer = Mutex<CalibrationFileWriter?>(nil)

    private static let largestGroup = 4

    /// Bytes of memory that a plan takes, by its number of windows.
    package static func memory(_ configuration: LlamaConfiguration, windows: Int, windowSize: Int, hessians: Set<LinearInput>, group: Int = 1, threads: Int) -> Int {
        HiddenStates.byteCount(windows: windows, windowSize: windowSize, configuration: configuration)
            + LayerwiseEngine.workingBytes(configuration, tokens: group * windowSize, codes: false, threads: threads)
            + LinearInput.ofLayer.reduce(0) { $0 + SecondMoments.byteCount(columns: $1.columns(configuration), hessian: hessians.contains($1)) }
    }

    /// - Parameter budget: bytes of memory to use; the plan has to fit with one window at a time.
    package init(plan: Plan, budget: Int, kernels: KernelSet, pool: WorkerPool) {
        (self.plan, self.kernels, self.pool) = (plan, kernels, pool)
        let configuration = plan.model.configuration
        groupWindows = (1...Self.largestGroup).last {
            Self.memory(configuration, windows: plan.windows.count, windowSize: plan.windowSize, hessians: plan.hessians, group: $0, threads: pool.threads) <= budget
        } ?? 1
        var key = StreamingDigest()
        func add(_ bytes: [UInt8]) { bytes.withUnsafeBytes { key.update($0) } }
        add(plan.model.identity.bytes)
        add(JSONValue(Self.metadata(plan)).serialized())
        add(plan.hessians.map { UInt8($0.rawValue) }.sorted())
        state = CalibrationState(output: plan.output, key: key.finalize())
    }

    private static func metadata(_ plan: Plan) -> JSONObject {
        var tokens = StreamingDigest()
        for window in plan.windows { window.withUnsafeBytes { tokens.update($0) } }
        var metadata = plan.provenance
        metadata.set("config_sha256", JSONValue(plan.model.configDigest.hex))
        metadata.set(
            "shards",
            JSONValue(plan.model.shards.map { ["name": JSONValue($0.name), "bytes": JSONValue($0.bytes), "fingerprint": JSONValue($0.fingerprint.hex)] }))
        if plan.runs !== plan.model { metadata.set("through", JSONValue(plan.runs.identity.hex)) }
        metadata.set("tokens_sha256", JSONValue(tokens.finalize().hex))
        metadata.set("window_size", JSONValue(plan.windowSize))
        metadata.set("windows", JSONValue(plan.windows.count))
        return metadata
    }

    package var entries: [CalibrationEntry] { CalibrationEntry.all(of: plan.model.configuration) { plan.hessians.contains($0) } }

    /// - Parameters:
    ///   - keep: asked behind each layer whether this is the moment to keep what is done; it costs writing the residual streams.
    ///   - progress: told behind each layer.
    /// - Returns: the file's id.
    package func run(keep: () -> Bool, progress: (Progress) -> Void) throws -> Digest32 {
        let configuration = plan.model.configuration
        let writer = try CalibrationFileWriter(path: plan.output, entries: entries, metadata: Self.metadata(plan))
        self.writer.withLock { $0 = writer }
        do {
            let states = HiddenStates(windows: plan.windows.count, windowSize: plan.windowSize, configuration: configuration)
            var first = 0
            if let earlier = try state.load(into: states.bytes), earlier.nextLayer <= configuration.layers, try writer.resume(earlier.entries) {
                first = earlier.nextLayer
                isKept.withLock { $0 = true }
            }
            let engine = LayerwiseEngine(
                configuration: configuration, windowSize: plan.windowSize, groupWindows: groupWindows, codes: false, kernels: kernels, pool: pool)
            if first == 0 { try engine.embed(plan.windows.flatMap { $0 }, from: plan.runs.embedding, into: states) }
            func report(_ done: Int) { progress(Progress(done: done, resumed: first, total: configuration.layers + 1)) }
            plan.runs.willNeed(layer: first)
            for layer in first..<configuration.layers {
                plan.runs.willNeed(layer: layer + 1)
                try run(layer: layer, engine, states, writer)
                plan.runs.finished(layer: layer)
                report(layer + 1)
                if keep() { try save(layer + 1, states, writer) }
            }
            let moments = makeMoments(.outputHead)
            for tokens in engine.groups(of: states) {
                try engine.observeOutput(norm: plan.runs.outputNorm, tokens: tokens, of: states) { self.add($0, to: moments) }
            }
            try write(moments, .outputHead, nil, writer)
            let id = try writer.finish()
            state.remove()
            report(configuration.layers + 1)
            return id
        } catch {
            abandon()
            throw error
        }
    }

    /// All moments of a layer come from one pass over the windows.
    private func run(layer: Int, _ engine: LayerwiseEngine, _ states: HiddenStates, _ writer: CalibrationFileWriter) throws {
        let weights = try plan.runs.layer(layer)
        let moments = Dictionary(uniqueKeysWithValues: LinearInput.ofLayer.map { ($0, makeMoments($0)) })
        try engine.run(weights, .floats, on: states) { self.add($0, to: moments[$0.input]!) }
        try engine.checkFinite(states, path: plan.runs.path, place: "layer \(layer)")
        for input in LinearInput.ofLayer { try write(moments[input]!, input, layer, writer) }
    }

    private func makeMoments(_ input: LinearInput) -> SecondMoments {
        SecondMoments(columns: input.columns(plan.model.configuration), hessian: plan.hessians.contains(input))
    }

    private func add(_ observed: LayerwiseEngine.ObservedInput, to moments: SecondMoments) {
        moments.add(observed.rows, tokens: observed.tokens, with: kernels, pool: pool)
    }

    private func write(_ moments: SecondMoments, _ input: LinearInput, _ layer: Int?, _ writer: CalibrationFileWriter) throws {
        for (index, entry) in writer.entries.enumerated() where entry.input == input && entry.layer == layer {
            switch entry.form {
            case .diagonal: try moments.diagonal.withUnsafeBufferPointer { try writer.write($0, entry: index, tokens: moments.tokens) }
            case .hessian:
                try writer.write(entry: index, tokens: moments.tokens) { append throws(CalibrationFileError) in
                    try moments.forEachHessianRow { (_, values) throws(CalibrationFileError) in try append(values) }
                }
            }
        }
    }

    private func save(_ nextLayer: Int, _ states: HiddenStates, _ writer: CalibrationFileWriter) throws {
        try writer.sync()
        try state.save(nextLayer: nextLayer, entries: writer.finished, states: UnsafeRawBufferPointer(states.bytes))
        isKept.withLock { $0 = true }
    }

    /// Ends an interrupted job: what was kept stays for the next run, else nothing is left. The program must end then, or the error go on. May
    /// be called from any thread.
    ///
    /// - Returns: whether something was kept.
    @discardableResult package func abandon() -> Bool {
        if isKept.withLock({ $0 }) { return true }
        writer.withLock { $0?.discard() }
        return false
    }
}
