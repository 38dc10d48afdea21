import SwiftProtobuf

/// The content of a tokenizer.model file as it stands there: numbers are not judged yet, that is the vocabulary's work.
package struct SentencePieceModel: Sendable {
    package struct Piece: Sendable {
        package var text: String
        package var score: Float
        package var kind: Int32
        /// The kind the format gives to a piece that names none.
        package static let normalKind: Int32 = 1

        package init(text: String, score: Float, kind: Int32 = Piece.normalKind) {
            self.text = text
            self.score = score
            self.kind = kind
        }
    }

    /// How text is changed before it is split.
    package struct Normalization: Sendable {
        package var name = ""
        package var hasCharacterMap = false
        package var addsDummyPrefix = true
        package var removesExtraWhitespace = true
        package var escapesWhitespace = true

        package init() {}
    }

    /// The format's number for byte-pair encoding.
    package static let bytePairAlgorithm: Int32 = 2

    package var pieces: [Piece] = []
    package var algorithm = bytePairAlgorithm
    package var whitespaceIsSuffix = false
    package var byteFallback = false
    package var unknownID: Int32 = 0
    package var beginID: Int32 = 1
    package var endID: Int32 = 2
    /// What an unknown token reads as.
    package var unknownSurface = " \u{2047} "
    package var normalization = Normalization()
    package var denormalizesCharacters = false

    package init() {}

    /// Fails when the bytes are not the protocol-buffer message that a tokenizer.model is. Unknown fields are skipped.
    package init(parsing bytes: [UInt8]) throws(MalformedSentencePieceModel) {
        let file: Quern_Sentencepiece_ModelFile
        do {
            file = try Quern_Sentencepiece_ModelFile(serializedBytes: bytes)
        } catch {
            throw MalformedSentencePieceModel(reason: Self.reason(error))
        }
        pieces = file.pieces.map { Piece(text: $0.text, score: $0.score, kind: $0.kind) }
        algorithm = file.trainer.algorithm
        whitespaceIsSuffix = file.trainer.whitespaceIsSuffix
        byteFallback = file.trainer.byteFallback
        unknownID = file.trainer.unknownID
        beginID = file.trainer.beginID
        endID = file.trainer.endID
        unknownSurface = file.trainer.unknownSurface
        normalization.name = file.normalizer.name
        normalization.hasCharacterMap = !file.normalizer.characterMap.isEmpty
        normalization.addsDummyPrefix = file.normalizer.addDummyPrefix
        normalization.removesExtraWhitespace = file.normalizer.removeExtraWhitespaces
        normalization.escapesWhitespace = file.normalizer.escapeWhitespaces
        denormalizesCharacters = file.hasDenormalizer && !file.denormalizer.characterMap.isEmpty
    }

    private static func reason(_ error: any Error) -> String {
        switch error as? BinaryDecodingError {
        case .truncated: "a file that ends in the middle of a field, as a cut one does"
        case .invalidUTF8: "text that is not valid UTF-8"
        case .malformedProtobuf, .trailingGarbage: "bytes that are no protocol-buffer message, as a damaged or another file has"
        default: "bytes that the protocol-buffer reader refuses (\(error))"
        }
    }
}

/// The bytes are not a SentencePiece model. `reason` says what they are instead.
package struct MalformedSentencePieceModel: Error, Sendable {
    package var reason: String
}
