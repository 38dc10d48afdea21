import ArgumentParser
import Conversion
import Evaluation
import Inference
import ModelFiles
import StrictJSON
import Tokenization

struct EvalCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "eval", abstract: "Measures perplexity over a text, and the divergence from another .quern file.",
        discussion: """
            The text is cut into windows of 512 tokens, the first replaced by the begin token; the last 255 predictions of each window count, \
            the remainder of the text is dropped. Perplexity is exp(mean of -ln p(true token)); its uncertainty is the standard error of \
            that mean times the perplexity. With --against, the other file (for example the f16 one) is the reference: KL divergence is \
            the mean over tokens of sum p ln(p / q) with p the reference's probabilities, in nats; same top is the share of tokens where \
            both find the same token likeliest.

            \(ExitCodes.help)
            """)

    @Argument(help: "The .quern file.", completion: .file(extensions: ["quern"])) var file: String
    @Option(help: "The text, UTF-8.", completion: .file()) var text: String
    @Option(help: "A .quern file of the same model to compare with, token by token.", completion: .file()) var against: String?
    @Option(help: "Use only the first N windows.") var windows: Int?
    @Flag(help: "Write one JSON object.") var json = false
    @OptionGroup var running: RunningOptions

    func validate() throws {
        if let windows, windows < 1 { throw ValidationError("--windows must be at least 1.") }
    }

    func run() throws {
        try ErrorPresentation.run(json: json) {
            let running = try RunningModel(path: file, options: self.running)
            let reference = try against.map { try RunningModel(path: $0, beside: running) }
            if let reference, reference.model.shape.vocabulary != running.model.shape.vocabulary {
                throw ConversionError(
                    "\(against!): vocabulary of \(reference.model.shape.vocabulary) tokens, \(file) has \(running.model.shape.vocabulary); give a file of the same model")
            }
            let ids = running.tokenizer.encode(try InputText.readFile(text), addBOS: running.tokenizer.addsBegin, parseSpecial: false)
            guard ids.count >= WindowEvaluation.windowSize else {
                throw ConversionError("\(text): \(ids.count) tokens, expected at least \(WindowEvaluation.windowSize); give a longer text")
            }
            let size = WindowEvaluation.windowSize
            let (own, other) = (Double(running.model.reader.fileBytes), Double(reference?.model.reader.fileBytes ?? 0))
            let evaluation = WindowEvaluation(
                session: try running.session(context: size, batch: 128, allLogits: true, share: own / (own + other)),
                reference: try reference?.session(context: size, batch: 128, allLogits: true, share: other / (own + other)),
                kernels: running.kernels, pool: running.pool)
            let start = Terminal.seconds()
            let begin = running.tokenizer.addsBegin ? running.tokenizer.beginID : nil
            let result = try evaluation.run(ids: ids, begin: begin, windows: windows) { result, count in
                if !json { showProgress(result, of: count, since: start) }
                return true
            }
            if json { Terminal.document(document(result)) } else { show(result, seconds: Terminal.seconds() - start) }
        }
    }

    /// A line that is rewritten on a terminal, else a line every half minute.
    private func showProgress(_ result: WindowEvaluation.Result, of count: Int, since start: Double) {
        let now = Terminal.seconds()
        let left = (now - start) / Double(result.windows) * Double(count - result.windows)
        let text = "window \(result.windows) of \(count), perplexity \(Quantities.fixed(result.perplexity, 4)), \(Quantities.duration(left)) left"
        if Terminal.errorIsTerminal {
            Terminal.write("\r\u{1B}[K" + (result.windows == count ? "" : text))
        } else if Int((now - start) / 30) > Int((now - start) * Double(result.windows - 1) / Double(result.windows) / 30) {
            Terminal.note(text)
        }
    }

    private func document(_ result: WindowEvaluation.Result) -> JSONObject {
        var object: JSONObject = [
            "tokens": JSONValue(result.tokens), "windows": JSONValue(result.windows), "scored": JSONValue(result.negativeLogLikelihood.count),
            "perplexity": JSONValue(result.perplexity), "perplexity_uncertainty": JSONValue(result.perplexityUncertainty),
        ]
        if against != nil {
            object.set("mean_kld", JSONValue(result.divergence.mean))
            object.set("mean_kld_uncertainty", JSONValue(result.divergence.uncertainty))
            object.set("kld_median", JSONValue(result.divergencePercentile(0.5)))
            object.set("kld_99", JSONValue(result.divergencePercentile(0.99)))
            object.set("kld_999", JSONValue(result.divergencePercentile(0.999)))
            object.set("kld_max", JSONValue(result.divergencePercentile(1)))
            object.set("same_top", JSONValue(result.sameTopFraction))
            object.set("perplexity_ratio", JSONValue(result.perplexity / result.referencePerplexity))
        }
        return object
    }

    private func show(_ result: WindowEvaluation.Result, seconds: Double) {
        print("tokens            \(result.tokens), \(result.windows) \(result.windows == 1 ? "window" : "windows"), \(result.negativeLogLikelihood.count) scored, \(Quantities.duration(seconds))")
        print("perplexity        \(Quantities.fixed(result.perplexity, 4)) +/- \(Quantities.fixed(result.perplexityUncertainty, 4))")
        guard against != nil else { return }
        print("of the reference  \(Quantities.fixed(result.referencePerplexity, 4)), ratio \(Quantities.fixed(result.perplexity / result.referencePerplexity, 5))")
        print("KL divergence     mean \(Quantities.fixed(result.divergence.mean, 6)) +/- \(Quantities.fixed(result.divergence.uncertainty, 6)) nats")
        print(
            "                  median \(Quantities.fixed(result.divergencePercentile(0.5), 6)), 99 % \(Quantities.fixed(result.divergencePercentile(0.99), 5)), "
                + "99.9 % \(Quantities.fixed(result.divergencePercentile(0.999), 5)), largest \(Quantities.fixed(result.divergencePercentile(1), 5))")
        print("same top token    \(Quantities.fixed(result.sameTopFraction * 100, 2)) %")
    }
}
