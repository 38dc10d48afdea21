import Tokenization

/// Tokens across which DRY sees no repetition: those whose text holds a breaker, and special ones, so that the frame of a chat's turns is none.
struct SequenceBreakers {
    private let breakers: [[UInt8]]
    private let tokenizer: Tokenizer
    private let special: Set<Int32>

    init(_ breakers: [String], _ tokenizer: Tokenizer) {
        self.breakers = breakers.map { Array($0.utf8) }
        self.tokenizer = tokenizer
        special = Set(tokenizer.addedTokens.filter(\.isSpecial).map(\.id))
    }

    func contains(_ token: Int32) -> Bool {
        if special.contains(token) { return true }
        let text = Array(tokenizer.decode([token], style: .keepingSpecial).utf8)
        return breakers.contains { breaker in
            text.count >= breaker.count && (0...text.count - breaker.count).contains { text[$0..<$0 + breaker.count].elementsEqual(breaker) }
        }
    }
}
