import CZstd

/// One zstd frame with content size and checksum; the only user of libzstd.
/// Authority: `Formats/QuernFile.md`, section 4.
package enum ZstdFrame {
    /// Why bytes are no frame of the prescribed kind.
    package struct Failure: Error, Equatable, CustomStringConvertible {
        package var description: String
    }

    /// One thread and fixed parameters, so the same content gives the same bytes with the same libzstd.
    package static func compress(_ content: [UInt8], level: Int32 = 12) -> [UInt8] {
        let context = ZSTD_createCCtx()
        defer { ZSTD_freeCCtx(context) }
        precondition(context != nil, "no memory for a zstd context")
        for (parameter, value) in [
            (ZSTD_c_compressionLevel, level), (ZSTD_c_checksumFlag, 1), (ZSTD_c_contentSizeFlag, 1), (ZSTD_c_dictIDFlag, 0),
        ] {
            precondition(ZSTD_isError(ZSTD_CCtx_setParameter(context, parameter, value)) == 0, "libzstd refuses a basic parameter")
        }
        return [UInt8](unsafeUninitializedCapacity: ZSTD_compressBound(content.count)) { buffer, count in
            count = ZSTD_compress2(context, buffer.baseAddress, buffer.count, content, content.count)
            precondition(ZSTD_isError(count) == 0, "libzstd cannot compress into a buffer of its own bound")
        }
    }

    /// Checks everything that can be checked before `expectedSize` bytes are allocated.
    package static func decompress(
        _ frame: UnsafeRawBufferPointer, expectedSize: UInt64, limit: UInt64
    ) throws(Failure) -> [UInt8] {
        guard expectedSize <= limit else { throw Failure(description: "content has \(expectedSize) bytes, expected at most \(limit)") }
        guard frame.count >= 6, Array(frame.prefix(4)) == [0x28, 0xB5, 0x2F, 0xFD] else {
            throw Failure(description: "no zstd frame begins here")
        }
        // Frame header descriptor (RFC 8878, 3.1.1.1.1): bit 2 checksum, bits 0 and 1 size of a dictionary id.
        let descriptor = frame[4]
        guard descriptor & 0x04 != 0 else { throw Failure(description: "the zstd frame has no checksum, expected one") }
        guard descriptor & 0x03 == 0 else { throw Failure(description: "the zstd frame needs a dictionary, expected none") }
        let stated = ZSTD_getFrameContentSize(frame.baseAddress, frame.count)
        // The two highest values mean "not stated" and "no frame".
        guard stated < UInt64.max - 1 else { throw Failure(description: "the zstd frame does not state its content size") }
        guard stated == expectedSize else {
            throw Failure(description: "the zstd frame states \(stated) bytes of content, expected content_bytes, \(expectedSize)")
        }
        let length = ZSTD_findFrameCompressedSize(frame.baseAddress, frame.count)
        guard ZSTD_isError(length) == 0 else { throw Failure(description: "the zstd frame is cut or broken (\(name(of: length)))") }
        guard length == frame.count else {
            throw Failure(description: "\(frame.count - length) bytes follow the zstd frame, expected none")
        }
        var result = 0
        let content = [UInt8](unsafeUninitializedCapacity: Int(expectedSize)) { buffer, count in
            result = ZSTD_decompress(buffer.baseAddress, buffer.count, frame.baseAddress, frame.count)
            count = ZSTD_isError(result) == 0 ? result : 0
        }
        guard ZSTD_isError(result) == 0 else { throw Failure(description: "the zstd frame does not decode (\(name(of: result)))") }
        guard content.count == Int(expectedSize) else {
            throw Failure(description: "the zstd frame holds \(content.count) bytes, expected \(expectedSize)")
        }
        return content
    }

    /// Of the size that the frame states.
    package static func decompress(_ frame: UnsafeRawBufferPointer, limit: UInt64) throws(Failure) -> [UInt8] {
        let stated = ZSTD_getFrameContentSize(frame.baseAddress, frame.count)
        guard stated < UInt64.max - 1 else { throw Failure(description: "no zstd frame with its content size begins here") }
        return try decompress(frame, expectedSize: stated, limit: limit)
    }

    private static func name(of code: Int) -> String { String(cString: ZSTD_getErrorName(code)) }
}
