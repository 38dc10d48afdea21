/// Everything that a byte-level tokenizer.json says, checked; the same whether it came from there or from its compact form.
struct ByteLevelModel {
    /// Texts are plain bytes.
    var vocabulary: Vocabulary
    /// First first; no pair twice.
    var merges: [MergeTable.Merge]
    var table: MergeTable
    /// In the order of their ids, which differ, as do their texts.
    var added: [AddedToken]
    /// The token before a text.
    var beginID: Int32?
    /// Whether a word that is a token is taken without merging.
    var takesWholeWords: Bool

    static let largestMergeCount = 1 << 24
    static let largestAddedCount = 65536

    /// The first merge with a token that is given out only where text is trusted, and that token.
    func merge(with specials: Set<Int32>) -> (rank: Int, id: Int32)? {
        if specials.isEmpty { return nil }
        for (rank, merge) in merges.enumerated() {
            for id in [merge.left, merge.right, merge.result] where specials.contains(id) { return (rank, id) }
        }
        return nil
    }

    /// Bytes that are no token.
    static func missingBytes(_ vocabulary: Vocabulary) -> [UInt8] {
        (UInt8.min ... .max).filter { vocabulary.id(of: [$0]) == nil }
    }

    /// The ids of the vocabulary that are special tokens.
    static func specials(among tokens: some Sequence<AddedToken>, below count: Int) -> Set<Int32> {
        Set(tokens.filter { $0.isSpecial && Int($0.id) < count }.map(\.id))
    }
}
