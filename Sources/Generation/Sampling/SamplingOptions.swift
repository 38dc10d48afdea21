/// How the next token is chosen. The steps come in the order of the properties; the values here leave each of them out.
package struct SamplingOptions: Sendable, Equatable {
    /// What is added to the logit of a token.
    package struct Bias: Sendable, Equatable {
        package var token: Int32
        /// -infinity bans the token.
        package var value: Float

        package init(token: Int32, value: Float) { (self.token, self.value) = (token, value) }
    }
    package var logitBias: [Bias] = []

    /// Divides the positive logits of tokens that the last `penaltyWindow` tokens of prompt and answer hold, and multiplies the negative
    /// ones (Keskar et al. 2019, CTRL).
    package var repetitionPenalty: Float = 1
    /// Taken from a logit for each time that the token stands in the window.
    package var frequencyPenalty: Float = 0
    /// Taken once from the logit of a token that stands in the window.
    package var presencePenalty: Float = 0
    /// nil: all of prompt and answer.
    package var penaltyWindow: Int? = Self.defaultPenaltyWindow
    package static let defaultPenaltyWindow = 64

    /// Against the repetition of sequences.
    package struct DRY: Sendable, Equatable {
        /// 0: nothing is done.
        package var multiplier: Float = 0
        package var base: Float = 1.75
        /// The longest repetition that costs nothing is one token shorter.
        package var allowedLength = 2
        /// Tokens to look back; nil: all of prompt and answer.
        package var window: Int?
        /// Texts; repetitions do not reach across a token that contains one.
        package var breakers = ["\n", ":", "\"", "*"]

        package init() {}
    }
    package var dry = DRY()

    /// Keep the k likeliest; 0 keeps all.
    package var topK = 0
    /// Keep the tokens whose surprise is nearest the expected one until their probabilities reach p; 1 keeps all.
    package var typicalP: Float = 1
    /// Keep the likeliest until their probabilities reach p; 1 keeps all.
    package var topP: Float = 1
    /// Keep those at least this fraction as likely as the likeliest; 0 keeps all.
    package var minP: Float = 0
    /// 0 takes the likeliest token, whatever the four filters say; above, probabilities are raised to the power 1 / temperature.
    package var temperature: Float = 0
    package var seed: UInt64 = 0

    package init(temperature: Float = 0, topK: Int = 0, topP: Float = 1, minP: Float = 0, typicalP: Float = 1, seed: UInt64 = 0) {
        self.temperature = temperature
        self.topK = topK
        self.topP = topP
        self.minP = minP
        self.typicalP = typicalP
        self.seed = seed
    }

    var hasPenalties: Bool { repetitionPenalty != 1 || frequencyPenalty != 0 || presencePenalty != 0 }
}
