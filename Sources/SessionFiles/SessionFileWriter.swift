import ByteStorage
package import Inference
import ModelFiles
package import StrictJSON

/// Writes session files.
package enum SessionFileWriter {
    /// Writes the session's cache under `path`, where a file of that name is replaced when the new one is whole and on disk.
    ///
    /// - Parameters:
    ///   - tokens: what stands at each filled position.
    ///   - isExact: false when a part of the cache was computed, or restored, without exact products.
    ///   - metadata: members by Formats/SessionFile.md, section 5, without `format`.
    package static func write(
        _ session: LlamaSession, tokens: [Int32], isExact: Bool, metadata: JSONObject, to path: String
    ) throws(SessionFileError) {
        let cache = session.cache
        precondition(tokens.count == cache.count, "\(tokens.count) tokens, \(cache.count) positions")
        var document: JSONObject = ["format": "quern-session"]
        for member in metadata.members { document.set(member.key.string, member.value) }
        let metadata = JSONValue(document).serialized()
        guard SessionHeader.metadataBytes.contains(metadata.count) else {
            throw SessionFileError(.invalid, path: path, "not written: the conversation has \(metadata.count) bytes, a session file keeps at most \(SessionHeader.metadataBytes.upperBound)")
        }
        var kind = SessionKind(session)
        kind.isExact = kind.isExact && isExact
        var header = SessionHeader(kind: kind, positions: tokens.count, metadataLength: metadata.count)
        let size = UInt64(header.cacheOffset) + UInt64(header.cacheBytes!)
        do throws(FileError) {
            let file = try AtomicFileWriter(path: path, reserve: size, isPrivate: true)
            do throws(FileError) {
                var text = tokens.flatMap { withUnsafeBytes(of: $0.littleEndian) { Array($0) } } + metadata
                text += [UInt8](repeating: 0, count: header.cacheOffset - SessionHeader.byteCount - text.count)
                header.text = Digest32.of(text)
                try write(text, at: SessionHeader.byteCount, to: file)
                var offset = UInt64(header.cacheOffset)
                var digest = StreamingDigest()
                try cache.forEachSavedPiece { piece throws(FileError) in
                    digest.update(piece)
                    try file.write(piece, at: offset)
                    offset += UInt64(piece.count)
                }
                precondition(offset == size, "\(offset) bytes written, \(size) expected")
                header.cache = digest.finalize()
                try write(header.encoded(), at: 0, to: file)
            } catch {
                file.discard()
                throw error
            }
            try file.finish(size: size)
        } catch { throw SessionFileError(error) }
    }

    private static func write(_ bytes: [UInt8], at offset: Int, to file: AtomicFileWriter) throws(FileError) {
        var failure: FileError?
        bytes.withUnsafeBytes { raw in
            do throws(FileError) { try file.write(raw, at: UInt64(offset)) } catch { failure = error }
        }
        if let failure { throw failure }
    }
}
