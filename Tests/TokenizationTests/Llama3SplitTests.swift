import Testing
import Tokenization

/// Where the Llama-3 expression cuts, seen through a vocabulary without merges of which every word of a case is a token.
@Suite struct Llama3SplitTests {
    private func words(_ text: String) throws -> [String] {
        // All parts of the text are tokens, so each word becomes one.
        var writer = ByteLevelWriter()
        let scalars = Array(text.unicodeScalars)
        var known = Set(writer.vocabulary.map(\.text))
        for start in scalars.indices {
            for end in start + 1 ... scalars.count {
                var part = ""
                part.unicodeScalars.append(contentsOf: scalars[start ..< end])
                let written = ByteLevelWriter.written(part)
                if known.insert(written).inserted { writer.vocabulary.append((written, writer.vocabulary.count + 100)) }
            }
        }
        let tokenizer = try writer.load(size: 1 << 16)
        return tokenizer.encode(text, addBOS: false, parseSpecial: false).map { tokenizer.decode([$0], style: .keepingSpecial) }
    }

    /// The words of their joined text, found with the expression itself and Oniguruma (tokenizers 0.23.3, Unicode 16).
    static let cases: [[String]] = [
        ["x", "'S"], ["don", "'\u{17F}"], ["a", "'re", "b"], ["e", "\u{301}a"], ["a", "\n\n", " b"], ["  \n\n", " ", " b"], [" \t\n", "!"],
        ["!\r\n", "b"], ["\u{A0}", "\u{A0}x"], ["a", " ", "\u{A0}b"], ["123", "456", "78"],
        ["\u{928}\u{92E}\u{938}", "\u{94D}\u{924}", "\u{947}"], ["I", "'LL", " don", "'T"], ["x", "\r\n\r\n", "y"], ["   \n", " ", " z"],
        ["'", "1"], ["'rx"], ["'l", "'ll", "'L"], ["''", "s"], ["a", "  "], ["a", "\n", "  "], ["a", "  \n\n", "\t", "\tb"], [" ", "1"],
        ["\t", "1"], ["\u{2028}", "1"], [" ", "\u{BD}"], ["\u{BD}\u{B2}1", "2"], [" !?\n\n", "x"], ["\t", "!!"], [" \u{200B}"],
        [" '", "sx"], ["x", "'\u{17F}", "t"], ["\u{FEFF}a"], ["1", "a", "1"], ["_a", "_", "1"], ["$", "1", ".", "5"], ["\n"], ["\r"], [" "],
        ["  "], ["\n \n"], ["a", "\u{85}", "\u{85}b"], ["'\u{212A}", "'M", "'D", "'Ve"], ["\u{10D4A}", "1"],
        ["a", "\u{301}\u{301}", " \u{301}"], ["\u{3000}", "\u{3000}\u{6211}\u{60F3}"], ["''''", "S"], ["'"],
    ]

    @Test(arguments: cases) func cuts(_ expected: [String]) throws {
        let found = try words(expected.joined())
        #expect(found.map { Array($0.utf8) } == expected.map { Array($0.utf8) }, "\(found)")
    }
}
