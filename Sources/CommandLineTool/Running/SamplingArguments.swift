import ArgumentParser
import Conversion
import Generation
import Tokenization

/// Options of every command that chooses tokens.
struct SamplingArguments: ParsableArguments {
    @Option(help: "0 takes the likeliest token; higher is more random.") var temperature: Float = 0
    @Option(help: "Keep the K likeliest tokens; 0 keeps all.") var topK = 0
    @Option(help: "Keep the tokens whose surprise is nearest the expected one until their probabilities reach P; 1 keeps all.") var typicalP: Float = 1
    @Option(help: "Keep the likeliest tokens until their probabilities reach P; 1 keeps all.") var topP: Float = 1
    @Option(help: "Keep tokens at least P times as likely as the likeliest; 0 keeps all.") var minP: Float = 0
    @Option(help: "Divide positive logits of tokens that were used lately by this, multiply negative ones; 1 does nothing.") var repetitionPenalty: Float = 1
    @Option(parsing: .unconditional, help: "Take this from a logit for each recent use of the token; 0 does nothing.") var frequencyPenalty: Float = 0
    @Option(parsing: .unconditional, help: "Take this from the logits of tokens that were used lately; 0 does nothing.") var presencePenalty: Float = 0
    @Option(parsing: .unconditional, help: "Tokens of prompt and answer that the three penalties look back; -1 means all, 0 none.")
    var repeatLastN = SamplingOptions.defaultPenaltyWindow
    @Option(help: "Strength of the penalty on repeated sequences (DRY); 0 turns it off, 0.8 is usual.") var dryMultiplier: Float = 0
    @Option(help: "How much the DRY penalty grows with each further token of a repetition.") var dryBase: Float = 1.75
    @Option(help: "Repetitions shorter than this many tokens cost nothing.") var dryAllowedLength = 2
    @Option(parsing: .unconditional, help: "Tokens that DRY looks back; -1 means all.") var dryLastN = -1
    @Option(
        help: ArgumentHelp(
            "Repetitions do not reach across a token that holds this text; may be given several times; 'none' for no text. Default: line break, colon, quotation mark, asterisk.",
            valueName: "text"))
    var drySequenceBreaker: [String] = []
    @Option(help: ArgumentHelp("Add to the logit of a token, like 15043+2.5 or 15043-1; 15043-inf bans it. May be given several times.", valueName: "id±bias"))
    var logitBias: [TokenBias] = []
    @Option(help: "Seed of the random choice. Default: a new one each time, shown with -v.") var seed: UInt64?

    /// For the help of commands.
    static let discussion = """
        A token is chosen in this order: --logit-bias; --repetition-penalty, --frequency-penalty and --presence-penalty; --dry-multiplier and its \
        like; then, above temperature 0, --top-k, --typical-p, --top-p, --min-p, each of which sees the probabilities of what the earlier ones \
        left, at temperature 1; last --temperature, and the draw. Penalties count prompt and answer.
        """

    private static let most: Float = 1e6

    func validate() throws {
        func check(_ isRight: Bool, _ text: String) throws { if !isRight { throw ValidationError(text) } }
        try check(temperature >= 0 && temperature.isFinite, "--temperature must be 0 or more.")
        try check(topK >= 0, "--top-k must be 0 or more.")
        try check(topP > 0 && topP <= 1, "--top-p must be above 0 and at most 1.")
        try check(typicalP > 0 && typicalP <= 1, "--typical-p must be above 0 and at most 1.")
        try check(minP >= 0 && minP <= 1, "--min-p must be within 0...1.")
        try check(repetitionPenalty > 0 && repetitionPenalty <= Self.most, "--repetition-penalty must be above 0 and at most 1000000.")
        try check(abs(frequencyPenalty) <= Self.most, "--frequency-penalty must be within -1000000...1000000.")
        try check(abs(presencePenalty) <= Self.most, "--presence-penalty must be within -1000000...1000000.")
        try check(repeatLastN >= -1, "--repeat-last-n must be -1 or more.")
        try check(dryMultiplier >= 0 && dryMultiplier <= Self.most, "--dry-multiplier must be within 0...1000000.")
        try check(dryBase >= 1 && dryBase <= Self.most, "--dry-base must be within 1...1000000.")
        try check(dryAllowedLength >= 1, "--dry-allowed-length must be at least 1.")
        try check(dryLastN >= -1, "--dry-last-n must be -1 or more.")
        try check(
            drySequenceBreaker.allSatisfy { !$0.isEmpty } && (drySequenceBreaker.count < 2 || !drySequenceBreaker.contains("none")),
            "--dry-sequence-breaker must be a text, or once 'none'.")
    }

    /// What was asked for, with a random seed where none was given.
    ///
    /// - Parameter vocabulary: tokens of the model.
    func options(vocabulary: Int) throws -> SamplingOptions {
        var options = SamplingOptions(
            temperature: temperature, topK: topK, topP: topP, minP: minP, typicalP: typicalP, seed: seed ?? UInt64.random(in: .min ... .max))
        options.repetitionPenalty = repetitionPenalty
        options.frequencyPenalty = frequencyPenalty
        options.presencePenalty = presencePenalty
        options.penaltyWindow = repeatLastN < 0 ? nil : repeatLastN
        options.dry.multiplier = dryMultiplier
        options.dry.base = dryBase
        options.dry.allowedLength = dryAllowedLength
        options.dry.window = dryLastN < 0 ? nil : dryLastN
        if !drySequenceBreaker.isEmpty { options.dry.breakers = drySequenceBreaker == ["none"] ? [] : drySequenceBreaker }
        for bias in logitBias {
            guard Int(bias.token) < vocabulary else {
                throw ConversionError("--logit-bias: token \(bias.token), expected ids within 0...\(vocabulary - 1); 'quern tokenize' shows ids")
            }
            options.logitBias.append(SamplingOptions.Bias(token: bias.token, value: bias.value))
        }
        return options
    }
}

/// A token and what its logit gets: "15043+2.5", "15043-1", "15043-inf".
struct TokenBias: ExpressibleByArgument {
    let token: Int32
    let value: Float

    init?(argument: String) {
        guard let sign = argument.firstIndex(where: { $0 == "+" || $0 == "-" }) else { return nil }
        let digits = argument[..<sign], rest = argument[argument.index(after: sign)...]
        guard !digits.isEmpty, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let token = Int32(digits) else { return nil }
        guard let first = rest.utf8.first, (0x30...0x39).contains(first) || rest == "inf", let size = Float(rest), !size.isNaN else { return nil }
        let value = argument[sign] == "-" ? -size : size
        guard value < .infinity, value == -.infinity || size <= 1e6 else { return nil }
        (self.token, self.value) = (token, value)
    }
}
