import ModelFiles
import Testing

/// Metadata and tokenizer sections with right digests but wrong content.
struct ForgedSectionTests {
    private static let cure = "; the program that wrote the file broke its format: convert the model again"

    @Test func frames() throws {
        let folder = TemporaryFolder()
        let original = try Forgery(folder)
        let frame = original.metadata
        let length = original.metadataBytes
        // RFC 8878, 3.1.1: magic, descriptor, then (single segment) content size of 4 bytes, blocks, checksum.
        func rle(_ size: UInt32, descriptor: UInt8 = 0xA4) -> [UInt8] {
            var bytes: [UInt8] = [0x28, 0xB5, 0x2F, 0xFD, descriptor]
            withUnsafeBytes(of: size.littleEndian) { bytes += $0 }
            return bytes
        }
        let cases: [(frame: [UInt8], content: UInt64, message: String)] = [
            (frame, length + 1, "the zstd frame states \(length) bytes of content, expected content_bytes, \(length + 1)"),
            (frame + frame, length, "\(frame.count) bytes follow the zstd frame, expected none"),
            (frame + [0], length, "1 bytes follow the zstd frame, expected none"),
            (Array(frame.dropLast()), length, "the zstd frame is cut or broken (Src size is incorrect)"),
            ([1, 2, 3, 4, 5, 6, 7, 8], length, "no zstd frame begins here"),
            ([0x28, 0xB5, 0x2F], length, "no zstd frame begins here"),
            // A skippable frame, which decodes to nothing.
            ([0x50, 0x2A, 0x4D, 0x18, 1, 0, 0, 0, 9], length, "no zstd frame begins here"),
            // No checksum: descriptor without bit 2, and the last four bytes gone.
            (
                frame[..<4] + [frame[4] & ~4] + frame[5...].dropLast(4), length, "the zstd frame has no checksum, expected one"
            ),
            (frame[..<4] + [frame[4] | 1] + frame[5...], length, "the zstd frame needs a dictionary, expected none"),
            ([0x28, 0xB5, 0x2F, 0xFD, 0x04, 0x58, 0x01, 0, 0, 0, 0, 0, 0], length, "the zstd frame does not state its content size"),
            (frame.dropLast() + [frame[frame.count - 1] ^ 1], length, "the zstd frame does not decode (Restored data doesn't match checksum)"),
            // States 64 MiB, holds one block of 1 byte.
            (
                rle(64 << 20) + [0x0B, 0, 0, 0x41, 0, 0, 0, 0], 64 << 20,
                "the zstd frame does not decode (Data corruption detected)"
            ),
            // States 1 byte, holds a block of 128 KiB.
            (rle(1) + [0x03, 0, 0x10, 0x41, 0, 0, 0, 0], 1, "the zstd frame does not decode (Destination buffer is too small)"),
        ]
        for (frame, content, message) in cases {
            var forgery = original
            forgery.metadata = frame
            forgery.metadataBytes = content
            #expect(try forgery.openingError(folder) == "metadata section: " + message + Self.cure)
        }
    }

    @Test func contentOverTheLimitIsRefused() throws {
        let frame = ZstdFrame.compress([UInt8](repeating: 0, count: 1000))
        let failure = try #require(throws: ZstdFrame.Failure.self) {
            try frame.withUnsafeBytes { try ZstdFrame.decompress($0, expectedSize: 1000, limit: 999) }
        }
        #expect(failure.description == "content has 1000 bytes, expected at most 999")
    }

    @Test func metadata() throws {
        let folder = TemporaryFolder()
        var forgery = try Forgery(folder)
        let whole = """
            {"new": [], "format": "quern", "generator": {"name": "x", "version": "1"}, "options": {"a": 1}, \
            "sources": [{"name": "s", "bytes": 1, "sha256": "\(String(repeating: "0", count: 64))"}], "files": {"config.json": "{}"}}
            """
        forgery.setMetadata(whole)
        #expect(try forgery.openingError(folder) == nil)
        let cases = [
            ("\"quern\"", "\"other\"", "format is 'other', expected 'quern'"),
            ("\"quern\"", "1", "format is 1, expected a string"),
            ("\"format\"", "\"formal\"", "format is missing"),
            ("\"version\": \"1\"", "\"v\": 1", "generator: version is missing"),
            ("\"version\": \"1\"", "\"version\": 1", "generator: version is 1, expected a string"),
            ("{\"a\": 1}", "[]", "options is an array, expected an object"),
            ("{\"a\": 1}", "{\"a\": true}", "options: 'a' is true, expected a string or a number"),
            ("\"bytes\": 1", "\"bytes\": -1", "sources[0]: bytes is -1, expected a whole number, 0 or more"),
            ("0000\"", "000g\"", "sources[0]: sha256 is the string '\(String(repeating: "0", count: 63))g', expected 64 lower-case hexadecimal digits"),
            ("[{", "{\"a\": [{", "not valid JSON: "),
            ("\"config.json\"", "\"config\"", "files: config.json is missing"),
            ("\"config.json\": \"{}\"", "\"config.json\": \"{}\", \"generation_config.json\": 1", "files: generation_config.json is 1, expected a string"),
            ("\"new\": []", "\"calibration\": null", "calibration is null, expected a string"),
            ("\"new\"", "\"format\"", "not valid JSON: "),
            ("\"new\": []", "\"tokenizer_probes\": []", "tokenizer_probes is an array, expected an array of 1 to 256 objects"),
            ("\"new\": []", "\"tokenizer_probes\": [7]", "tokenizer_probes[0] is 7, expected an object"),
            ("\"new\": []", "\"tokenizer_probes\": [{\"text\": \"x\", \"special\": 1}]", "tokenizer_probes[0]: special is 1, expected true or false"),
            (
                "\"new\": []", "\"tokenizer_probes\": [{\"text\": \"x\", \"special\": true, \"ids\": [-1]}]",
                "tokenizer_probes[0]: ids is an array, expected token ids"
            ),
            (
                "\"new\": []", "\"tokenizer_probes\": [{\"text\": \"x\", \"special\": true, \"ids\": [1]}]",
                "tokenizer_probes[0]: decoded is missing"
            ),
        ]
        for (old, new, message) in cases {
            forgery.setMetadata(whole.replacing(old, with: new, maxReplacements: 1))
            let error = try #require(try forgery.openingError(folder))
            #expect(error.hasPrefix("metadata: " + message) && error.hasSuffix(Self.cure))
            #expect(message.hasSuffix(": ") || error == "metadata: " + message + Self.cure)
        }
        for text in ["[]", "", " "] {
            forgery.setMetadata(text)
            #expect(try forgery.openingError(folder) != nil)
        }
        forgery.setMetadata(String(repeating: "[", count: 1 << 20))
        #expect(try forgery.openingError(folder)?.hasPrefix("metadata: not valid JSON: ") == true)
    }

    @Test func tokenizer() throws {
        let folder = TemporaryFolder()
        var forgery = try Forgery(folder)
        func file(_ name: String, _ bytes: [UInt8], nameLength: Int? = nil, reserved: UInt8 = 0, encoding: UInt8 = 0, count: UInt64? = nil) -> [UInt8] {
            var head = [UInt8](repeating: 0, count: 16)
            Forgery.store(UInt16(nameLength ?? name.utf8.count), in: &head, at: 0)
            head[7] = reserved
            head[2] = encoding
            Forgery.store(count ?? UInt64(bytes.count), in: &head, at: 8)
            return head + Array(name.utf8) + bytes
        }
        let one = file("vocab.json", [1])
        let known = TokenizerArchive.knownNames.joined(separator: ", ")
        let cases: [([UInt8], String?)] = [
            ([1, 0, 0, 0] + one, nil),
            ([1, 0, 0], "the archive has 3 bytes, expected at least 4"),
            ([0, 0, 0, 0], "file_count is 0, expected 1 ... 16"),
            ([255, 255, 255, 255], "file_count is 4294967295, expected 1 ... 16"),
            ([1, 0, 0, 0] + one + [7], "1 bytes follow the last file, expected none"),
            ([2, 0, 0, 0] + one, "file 1: the archive ends within the file's head"),
            ([2, 0, 0, 0] + one + one, "file 'vocab.json': the name occurs twice"),
            ([1, 0, 0, 0] + file("vocab.json", [], nameLength: 65535), "file 0: the archive ends within the file's name"),
            ([1, 0, 0, 0] + file("../../etc", []), "file 0: its name is '../../etc', expected one of \(known)"),
            ([1, 0, 0, 0] + file("", []), "file 0: its name is '', expected one of \(known)"),
            ([1, 0, 0, 0] + file("vocab.json", [], reserved: 3), "file 0: reserved byte 11 is 3, expected 0"),
            ([1, 0, 0, 0] + file("vocab.json", [], encoding: 1), "file 'vocab.json': encoding is 1, expected 0"),
            ([1, 0, 0, 0] + file("tokenizer.json", [], encoding: 2), "file 'tokenizer.json': encoding is 2, expected 0 or 1"),
            (
                [1, 0, 0, 0] + file("tokenizer.json", [], encoding: 1),
                "file 'tokenizer.json': encoding must be 1 beside byte_level.vocabulary, and only there"
            ),
            (
                [2, 0, 0, 0] + file("tokenizer.json", []) + file("byte_level.vocabulary", []),
                "file 'tokenizer.json': encoding must be 1 beside byte_level.vocabulary, and only there"
            ),
            (
                [1, 0, 0, 0] + file("vocab.json", [1], count: .max),
                "file 'vocab.json': byte_count is 18446744073709551615, but the archive has only 1 bytes left"
            ),
        ]
        for (archive, message) in cases {
            forgery.setTokenizer(archive)
            #expect(try forgery.openingError(folder) == message.map { "tokenizer: " + $0 + Self.cure })
        }
    }
}
