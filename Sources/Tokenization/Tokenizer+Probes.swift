package import TokenizerProbes

extension TokenizerProbe {
    /// One line per rule that could be broken: contractions, letters and marks, numbers, runs of white space of all kinds, line breaks,
    /// symbols, words that are tokens as a whole, bytes that no token covers, marks for spaces, control tokens as plain text.
    static let texts = [
        "", " ", "  ", " \t \u{A0} \u{3000}x", "Hello world", " Hello  world ", "    Hello\n    Hello", "a\n\n b\r\n\r\n\tc\n \n  d  \n",
        "I'LL don'T we've they're 'S 'd o'clock don'\u{17F} 'r 'l", "e\u{301}a नमस्ते Straße ǅ ª ʰ Äpfel naïve", "нещо на Български 我想在apple工作1314151天～",
        "1 12 123 1234 1234567890 ½ ² ٣٤٥ Ⅷ ①", "37.5°C, 5 µg/mL; 5 μg/mL (≥18) β-blocker Dr's ’s", "!!!!!! ... (\"x\") --==> #$%&*[]{}|\\~^_`\n!\r\n",
        "\u{85}\u{1680}\u{2003}\u{2028}\u{202F}\u{205F}\u{200B}\u{FEFF}\u{1C}\u{0}\u{7F}", "🦙 🏥💊 👩🏽\u{200D}⚕\u{FE0F} \u{10FFFF}\u{FFFD}\u{E000}",
        " gerekiyor discards w048 7tuijk dsdfhu", "\u{2581}a\u{2581}\u{2581}b \u{2581}c", "\u{384}\u{3AC}\u{1F71} é", "<0x41> <unk> <s></s> <|eot_id|>",
        String(repeating: " ", count: 33) + "x" + String(repeating: "\n", count: 17), String(repeating: "ab", count: 40) + String(repeating: "=", count: 70),
        "def f(x):\n\treturn x ** 2  # squared\n\nhttps://example.org/a?b=c&d=1.2e-5", "\u{10D4A}\u{1C89}\u{16100}\u{2EBF0}\u{A7CB}\u{1E5F1}",
    ]

    /// What differs from `other`, for a message; nil where nothing does.
    fileprivate func difference(ids: [Int32], decoded: String) -> (expected: String, found: String)? {
        if ids != self.ids { return ("the ids \(Self.list(self.ids))", Self.list(ids)) }
        if decoded.utf8.elementsEqual(self.decoded.utf8) { return nil }
        return (
            "its ids to read \(TokenizationError.quoted(self.decoded.utf8))", TokenizationError.quoted(decoded.utf8)
        )
    }

    private static func list(_ ids: [Int32]) -> String {
        ids.prefix(32).map(String.init).joined(separator: " ") + (ids.count > 32 ? " …" : "")
    }
}

extension Tokenizer {
    /// What this tokenizer makes of the built-in texts, and of its own control tokens.
    package func probes() -> [TokenizerProbe] {
        let specials = addedTokens.filter(\.isSpecial).prefix(4)
        let text = specials.map { "a \(String(decoding: $0.text, as: UTF8.self)) b\n" }.joined()
        var probes = TokenizerProbe.texts.map { probe($0, parsesSpecial: false) }
        if !specials.isEmpty, text.utf8.count <= 4096 {
            probes += [false, true].map { probe(text, parsesSpecial: $0) }
        }
        return probes
    }

    private func probe(_ text: String, parsesSpecial: Bool) -> TokenizerProbe {
        let ids = encode(text, addBOS: false, parseSpecial: parsesSpecial)
        return TokenizerProbe(text: text, parsesSpecial: parsesSpecial, ids: ids, decoded: decode(ids, style: .skippingSpecial))
    }

    /// Throws if this tokenizer does not give what was recorded.
    ///
    /// - Parameter writer: the program that recorded it, for the message.
    package func check(_ recorded: [TokenizerProbe], writer: String) throws(TokenizationError) {
        for (index, probe) in recorded.enumerated() {
            let ids = encode(probe.text, addBOS: false, parseSpecial: probe.parsesSpecial)
            guard let (expected, found) = probe.difference(ids: ids, decoded: decode(probe.ids, style: .skippingSpecial)) else { continue }
            throw TokenizationError(
                code: .inconsistent, file: "the file's tokenizer", place: "probe \(index), \(TokenizationError.quoted(probe.text.utf8))",
                expected: "\(expected), as \(writer) found when it converted the model", found: found,
                advice: "this program reads text differently than the one that made the file: convert the model again with this one, or use \(writer)")
        }
    }
}
