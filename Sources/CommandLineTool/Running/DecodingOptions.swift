import ArgumentParser
import Generation

/// Options of the commands that continue text.
struct DecodingOptions: ParsableArguments {
    @Option(help: "Positions to make room for, the whole text or conversation together; at most 4 times what config.json says. Default: what the model was made for, at most 4096.")
    var context: Int?
    @Option(
        defaultAsFlag: PromptLookup.defaultDraft, parsing: .next,
        help: ArgumentHelp("Draft up to N tokens from earlier text and verify them in one pass; the text stays the same.", valueName: "n"))
    var speculate: Int?

    func validate() throws {
        if let context, !(2...(1 << 20)).contains(context) { throw ValidationError("--context must be within 2...1048576.") }
        if let speculate, !(1...PromptLookup.largestDraft).contains(speculate) {
            throw ValidationError("--speculate must be within 1...\(PromptLookup.largestDraft).")
        }
    }

    /// Tokens that are drafted for one pass; 0 without speculation.
    var draft: Int { speculate ?? 0 }
}
