import Architectures
import ArgumentParser
import Benchmarking
import Conversion
import HostFacts
import Inference
import Kernels

struct BenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench", abstract: "Measures the speed of a .quern file's model beside what the machine can do.",
        discussion: """
            Prefill is a prompt from an empty cache, decode one token at a time after as many positions as --depths says; the tokens are \
            random, sampling is not part of it. All cases are measured in turn, run after run, and with them two yardsticks with the same \
            threads: read bandwidth, at which the threads read the weights of one token and do nothing else, and the int8 peak, \
            dot products of the kernels' instruction on registers alone. A multiplication with its addition counts as two operations. \
            Speeds are medians, with the smallest and the largest.

            The fraction of a decode is its bytes per second, weights and cache, over the read bandwidth. The fraction of a prefill is \
            2 x parameters x tokens per second over the int8 peak: all of the model's parameters count, also the embedding, which is only looked \
            up, and the head, which only the last token needs; attention does not count. 'layers only' counts the matrices of the layers alone.

            \(ExitCodes.help)
            """)

    @Argument(help: "The .quern file.", completion: .file(extensions: ["quern"])) var file: String
    @Option(help: "Lengths of prompts, like 128,512; 0 for none.") var promptTokens: IntegerList?
    @Option(help: "Tokens to decode at each depth; 0 for none.") var generatedTokens = 64
    @Option(help: "Positions in the cache before decoding, like 0,2048.") var depths: IntegerList?
    @Option(help: "Compute threads, like 1,2. Default: one for each core that this process may use.") var threads: IntegerList?
    @Option(help: "Measurements of each case, after a warm-up.") var runs = 5
    @Option(help: "Positions to make room for at most. Default: what the model was made for.") var context: Int?
    @Option(help: "Tokens that go through the layers together in a prefill. Default: as in run.") var batch: Int?
    @Option(help: "Element type of the key-value cache, as in run.") var kv: KeyValueCache.Element?
    @Flag(help: "Multiply long prompts exactly, as in run.") var exact = false
    @Flag(help: "Write one JSON object.") var json = false

    static let defaultPrompt = 512
    static let defaultDepths = [0, 2048]

    func validate() throws {
        if let promptTokens, !promptTokens.values.allSatisfy({ $0 <= 1 << 20 }) { throw ValidationError("--prompt-tokens must be within 0...1048576.") }
        if !(0...(1 << 20)).contains(generatedTokens) { throw ValidationError("--generated-tokens must be within 0...1048576.") }
        if let depths, !depths.values.allSatisfy({ $0 <= 1 << 20 }) { throw ValidationError("--depths must be within 0...1048576.") }
        if let threads, !threads.values.allSatisfy({ (1...1024).contains($0) }) { throw ValidationError("--threads must be within 1...1024.") }
        if !(1...10_000).contains(runs) { throw ValidationError("--runs must be within 1...10000.") }
        if let context, !(2...(1 << 20)).contains(context) { throw ValidationError("--context must be within 2...1048576.") }
        if let batch, !(1...4096).contains(batch) { throw ValidationError("--batch must be within 1...4096.") }
        if promptTokens?.values.contains(where: { $0 > 0 }) == false && generatedTokens == 0 {
            throw ValidationError("Nothing to measure: --prompt-tokens and --generated-tokens are 0.")
        }
    }

    func run() throws {
        try ErrorPresentation.run(json: json) {
            let machine = CPUFacts()
            let kernels = try KernelSet.selected()
            MappingFaults.install(path: file)
            // Its threads sleep; every number of threads that is measured gets its own.
            let running = try RunningModel(path: file, kernels: kernels, pool: WorkerPool(threads: 1), element: kv, isExact: exact)
            let plan = try plan(for: running.model, defaultThreads: machine.computeThreads)
            let benchmark = try Benchmark(plan: plan, model: running.model, kernels: kernels, places: machine.computePlaces) {
                try running.session(context: plan.positions, batch: batch, pool: $0)
            }
            let report = try benchmark.run { showProgress($0) }
            if Terminal.errorIsTerminal { Terminal.write("\r\u{1B}[K") }
            let shown = BenchmarkPresentation(running: running, plan: plan, report: report, machine: machine)
            if json { Terminal.document(shown.document) } else { print(shown.text) }
        }
    }

    /// What to measure: what was asked for, or the defaults as far as the context goes.
    private func plan(for model: LlamaModel, defaultThreads: Int) throws -> BenchmarkPlan {
        let room = max(context ?? model.configuration.contextLength, 2)
        let source = context == nil ? "the context that the model was made for" : "--context"
        func check(_ positions: Int, _ option: String, _ what: String) throws {
            guard positions > room else { return }
            throw ConversionError(
                "\(option): \(what) need \(positions) positions, expected at most \(room), \(source); choose fewer or raise --context")
        }
        let prompts = promptTokens?.values.filter { $0 > 0 } ?? [min(Self.defaultPrompt, room)]
        for prompt in prompts { try check(prompt, "--prompt-tokens", "\(prompt) tokens") }
        if generatedTokens > 0 {
            try check(generatedTokens, "--generated-tokens", "\(generatedTokens) tokens")
            for depth in depths?.values ?? [] { try check(depth + generatedTokens, "--depths", "\(generatedTokens) tokens at depth \(depth)") }
        }
        let clipped = IntegerList(Self.defaultDepths.map { min($0, max(room - generatedTokens, 0)) }).values
        if promptTokens == nil && prompts[0] < Self.defaultPrompt {
            Terminal.note("prompt of \(prompts[0]) tokens instead of \(Self.defaultPrompt): \(source) is \(room)")
        }
        if depths == nil && generatedTokens > 0 && clipped.last != Self.defaultDepths.last {
            Terminal.note("depth \(clipped.last!) instead of \(Self.defaultDepths.last!): \(source) is \(room); --context makes room for more")
        }
        return BenchmarkPlan(
            promptTokens: prompts, generatedTokens: generatedTokens, depths: depths?.values ?? clipped, threads: threads?.values ?? [defaultThreads],
            runs: runs)
    }

    /// A line that is rewritten on a terminal.
    private func showProgress(_ progress: Benchmark.Progress) {
        guard Terminal.errorIsTerminal else { return }
        let item = progress.next
        let what = item.kind == .prefill ? "prefill of \(item.tokens) tokens" : "decode of \(item.tokens) tokens at depth \(item.depth)"
        let run = progress.run == 0 ? "warm-up" : "run \(progress.run) of \(runs)"
        Terminal.write(
            "\r\u{1B}[K\(run), \(100 * progress.done / progress.count) %: \(what), \(item.threads) \(item.threads == 1 ? "thread" : "threads")")
    }
}
