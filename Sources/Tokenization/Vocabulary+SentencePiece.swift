import SentencePieceModels

extension Vocabulary {
    static let modelFile = "tokenizer.model"

    /// The pieces of a tokenizer.model, each checked. The ids in `replaced` have been given to added tokens: what the model
    /// has there is no longer made from text.
    init(_ model: SentencePieceModel, replaced: Set<Int> = []) throws(TokenizationError) {
        try Self.checkAlgorithm(model)
        let file = Self.modelFile
        guard model.pieces.count <= Self.maximumCount else {
            throw .malformed(file, "pieces", expected: "at most \(Self.maximumCount)", found: "\(model.pieces.count)")
        }
        self.init(capacity: model.pieces.count)
        var unknownCount = 0
        for (index, piece) in model.pieces.enumerated() {
            let kind = try Self.check(piece, at: index, byteFallback: model.byteFallback)
            if kind == .unknown { unknownCount += 1 }
            let bytes = Array(piece.text.utf8)
            if replaced.contains(index), kind != .unknown, kind != .byte {
                appendUnfindable(bytes, score: piece.score, kind: .control)
                continue
            }
            if let earlier = append(bytes, score: piece.score, kind: kind) {
                throw .malformed(
                    file, "piece \(index)", expected: "a text that no other piece has",
                    found: "\(TokenizationError.quoted(bytes)), which is also piece \(earlier)")
            }
        }
        if unknownCount != 1 {
            throw .malformed(file, "pieces", expected: "one piece of kind UNKNOWN", found: "\(unknownCount)")
        }
        if model.byteFallback, !hasAllBytes {
            let missing = byteIDs.count { $0 < 0 }
            throw .malformed(
                file, "pieces", expected: "a BYTE piece for each of 256 bytes, because byte_fallback is set",
                found: "\(256 - missing)")
        }
    }

    private static func check(
        _ piece: SentencePieceModel.Piece, at index: Int, byteFallback: Bool
    ) throws(TokenizationError) -> PieceKind {
        let bytes = piece.text.utf8
        let place = "piece \(index)"
        guard !bytes.isEmpty else { throw .malformed(modelFile, place, expected: "a text", found: "an empty one") }
        guard bytes.count < maximumPieceLength else {
            throw .malformed(
                modelFile, place, expected: "fewer than \(maximumPieceLength) bytes", found: "\(bytes.count) bytes")
        }
        guard !bytes.contains(0) else {
            throw .malformed(
                modelFile, place, expected: "a text without NUL", found: TokenizationError.quoted(bytes))
        }
        guard piece.score.isFinite else {
            throw .malformed(modelFile, place, expected: "a finite score", found: "\(piece.score)")
        }
        guard let kind = PieceKind(rawValue: piece.kind) else {
            throw .malformed(modelFile, place, expected: "a kind from 1 to 6", found: "\(piece.kind)")
        }
        if kind == .byte {
            if !byteFallback {
                throw .malformed(
                    modelFile, place, expected: "no BYTE piece, because byte_fallback is not set",
                    found: TokenizationError.quoted(bytes))
            }
            if byteValue(of: Array(bytes)[...]) == nil {
                throw .malformed(
                    modelFile, place, expected: "a BYTE piece of the form <0xHH> with two upper-case digits",
                    found: TokenizationError.quoted(bytes))
            }
        }
        return kind
    }

    private static func checkAlgorithm(_ model: SentencePieceModel) throws(TokenizationError) {
        let spec = "normalizer_spec", file = modelFile
        if model.algorithm != SentencePieceModel.bytePairAlgorithm {
            let names: [Int32: String] = [1: "1 (UNIGRAM)", 3: "3 (WORD)", 4: "4 (CHAR)"]
            throw .unsupported(
                file, "trainer_spec.model_type", expected: "2 (BPE)",
                found: names[model.algorithm] ?? "\(model.algorithm)")
        }
        if model.whitespaceIsSuffix {
            throw .unsupported(file, "trainer_spec.treat_whitespace_as_suffix", expected: "false", found: "true")
        }
        if model.normalization.hasCharacterMap {
            throw .unsupported(
                file, "\(spec).precompiled_charsmap", expected: "no character map (identity)",
                found: "a map named \(TokenizationError.quoted(model.normalization.name.utf8))")
        }
        if model.normalization.removesExtraWhitespace {
            throw .unsupported(file, "\(spec).remove_extra_whitespaces", expected: "false", found: "true")
        }
        if !model.normalization.escapesWhitespace {
            throw .unsupported(file, "\(spec).escape_whitespaces", expected: "true", found: "false")
        }
        if model.denormalizesCharacters {
            throw .unsupported(file, "denormalizer_spec", expected: "no character map", found: "one")
        }
    }
}
