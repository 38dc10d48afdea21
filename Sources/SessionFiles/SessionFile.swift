import ByteStorage
package import Inference
import ModelFiles
package import StrictJSON

/// An open session file. Opening checks header, tokens and metadata; `restore` checks keys and values.
package final class SessionFile {
    package let path: String
    package let kind: SessionKind
    /// What stands at each position.
    package let tokens: [Int32]
    package let metadata: JSONValue
    private let header: SessionHeader
    private let file: ReadableFile

    package init(path: String) throws(SessionFileError) {
        var head = [UInt8]()
        do throws(FileError) {
            file = try ReadableFile(path: path)
            head = try Self.bytes(file, 0..<Int(min(file.size, UInt64(SessionHeader.byteCount))))
        } catch { throw SessionFileError(error) }
        let fileBytes = file.size
        header = try head.withUnsafeBufferPointer { head throws(SessionFileError) in
            try SessionHeader(decoding: UnsafeRawBufferPointer(head), fileBytes: fileBytes, path: path)
        }
        // The header's numbers give the file's real size, so this lies inside it.
        let text: [UInt8]
        do throws(FileError) { text = try Self.bytes(file, SessionHeader.byteCount..<header.cacheOffset) } catch { throw SessionFileError(error) }
        guard Digest32.of(text) == header.text else {
            throw SessionFileError(.damaged, path: path, "tokens and metadata do not have the SHA-256 in the header; \(Cure.startAgain)")
        }
        func invalid(_ text: String) -> SessionFileError { SessionFileError(.invalid, path: path, "\(text); \(Cure.brokenWriter)") }
        let metadataEnd = header.tokenBytes + header.metadataLength
        guard text[metadataEnd...].allSatisfy({ $0 == 0 }) else { throw invalid("a byte between the metadata and the keys is not 0") }
        let positions = header.positions
        tokens = text.withUnsafeBytes { raw in
            (0..<positions).map { Int32(littleEndian: raw.loadUnaligned(fromByteOffset: 4 * $0, as: Int32.self)) }
        }
        do throws(JSONError) {
            metadata = try JSONReader.read(Array(text[header.tokenBytes..<metadataEnd]), limits: JSONReader.Limits(depth: 16))
        } catch { throw invalid("metadata: \(error)") }
        guard metadata["format"]?.string == "quern-session" else { throw invalid("metadata: format is not 'quern-session'") }
        self.path = path
        kind = header.kind
    }

    private static func bytes(_ file: ReadableFile, _ range: Range<Int>) throws(FileError) -> [UInt8] {
        var failure: FileError?
        let bytes = [UInt8](unsafeUninitializedCapacity: range.count) { buffer, count in
            do throws(FileError) {
                try file.read(into: UnsafeMutableRawBufferPointer(buffer), at: UInt64(range.lowerBound))
                count = buffer.count
            } catch { failure = error }
        }
        if let failure { throw failure }
        return bytes
    }

    /// Puts the keys and values into the session's cache, whose content is lost. After an error the cache is empty.
    package func restore(into session: LlamaSession) throws(SessionFileError) {
        try check(SessionKind(session), context: session.cache.context)
        if let bad = tokens.first(where: { $0 < 0 || Int($0) >= session.model.shape.vocabulary }) {
            throw SessionFileError(.invalid, path: path, "token \(bad) of a vocabulary of \(session.model.shape.vocabulary); \(Cure.brokenWriter)")
        }
        var offset = UInt64(header.cacheOffset)
        var digest = StreamingDigest()
        let isFinite = try session.cache.fillSavedPieces(positions: header.positions) { piece throws(SessionFileError) in
            do throws(FileError) { try file.read(into: piece, at: offset) } catch { throw SessionFileError(error) }
            offset += UInt64(piece.count)
            digest.update(UnsafeRawBufferPointer(piece))
        }
        guard !isFinite || digest.finalize() == header.cache else {
            throw SessionFileError(.damaged, path: path, "keys and values do not have the SHA-256 in the header; \(Cure.startAgain)")
        }
        guard isFinite else { throw SessionFileError(.invalid, path: path, "a key or value is not finite; \(Cure.startAgain)") }
        session.cache.restore(to: header.positions)
    }

    /// Whether a session of `wanted` may go on with this file.
    private func check(_ wanted: SessionKind, context: Int) throws(SessionFileError) {
        func fail(_ text: String) -> SessionFileError { SessionFileError(.mismatch, path: path, text) }
        guard kind.model == wanted.model else {
            throw fail(
                "the session of another model (SHA-256 of its header \(kind.model.hex.prefix(12))..., this file's \(wanted.model.hex.prefix(12))...); "
                    + "give that model's file, or another --session file")
        }
        guard kind.element == wanted.element else {
            throw fail("its cache has \(kind.element) elements, expected \(wanted.element); use --kv \(kind.element), or another --session file")
        }
        guard kind.layers == wanted.layers, kind.heads == wanted.heads, kind.headSize == wanted.headSize else {
            throw fail(
                "its cache is \(kind.layers) layers x \(kind.heads) heads x \(kind.headSize), expected \(wanted.layers) x \(wanted.heads) x \(wanted.headSize); \(Cure.brokenWriter)")
        }
        guard kind.isExact || !wanted.isExact else {
            throw fail("it was computed without --exact; leave --exact out, or give another --session file")
        }
        guard header.positions <= context else {
            throw fail("it holds \(header.positions) positions, expected at most \(context), the context; raise --context, or give another --session file")
        }
    }
}
