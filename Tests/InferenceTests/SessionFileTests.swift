import Generation
import Glibc
import Inference
import Kernels
import SessionFiles
import StrictJSON
import Tensors
import TestSupport
import Testing

/// Formats/SessionFile.md, with the bundled model.
@Suite struct SessionFileTests {
    private static let prompt: [Int32] = [1] + (0..<45).map { Int32(300 + $0 * 37 % 3000) }
    private static let next: [Int32] = (0..<9).map { Int32(400 + $0 * 53 % 3000) }

    private func withFile(_ body: (String) throws -> Void) throws {
        var template = Array("/tmp/quern-test-XXXXXX".utf8CString)
        let folder = String(cString: try #require(mkdtemp(&template)))
        defer {
            unlink(folder + "/s.qses")
            rmdir(folder)
        }
        try body(folder + "/s.qses")
    }

    private func filled(_ tiny: TinyModel, _ tokens: [Int32], element: KeyValueCache.Element, context: Int = 512) throws -> LlamaSession {
        let session = try tiny.session(context: context, element: element)
        _ = try session.append(tokens[...], logits: .none)
        return session
    }

    private func logits(_ session: LlamaSession, _ tokens: [Int32]) throws -> [Float] {
        var all: [Float] = []
        for token in tokens {
            let logits = try session.append([token], logits: .last)
            all += UnsafeBufferPointer(start: logits, count: session.model.shape.vocabulary)
        }
        return all
    }

    private func write(_ session: LlamaSession, _ tokens: [Int32], to path: String) throws {
        try SessionFileWriter.write(session, tokens: tokens, isExact: true, metadata: ["conversation": ["a": 1]], to: path)
    }

    /// Also for a group of 16 that is not full, and into a cache with room for another number of positions.
    @Test(arguments: [KeyValueCache.Element.f16, .f32, .q8], [1, 15, 16, 33, 46])
    func goesOnWithTheSameBits(element: KeyValueCache.Element, count: Int) throws {
        let tiny = try TinyModel(.q4)
        let tokens = Array(Self.prompt[..<count])
        try withFile { path in
            let session = try filled(tiny, tokens, element: element)
            try write(session, tokens, to: path)
            let expected = try logits(session, Self.next)
            let restored = try tiny.session(context: 300, element: element)
            _ = try restored.append([7, 8, 9], logits: .none)
            let file = try SessionFile(path: path)
            try file.restore(into: restored)
            #expect(file.tokens == tokens && restored.cache.count == count)
            #expect(file.metadata["conversation"]?["a"]?.int == 1)
            #expect(try logits(restored, Self.next) == expected)
            var status = stat()
            #expect(stat(path, &status) == 0 && status.st_mode & 0o777 == 0o600)
        }
    }

    /// What a longer text left behind is not in the file.
    @Test(arguments: [KeyValueCache.Element.f16, .f32, .q8])
    func keepsNothingOfWhatWasDropped(element: KeyValueCache.Element) throws {
        let tiny = try TinyModel(.q4)
        let tokens = Array(Self.prompt[..<21])
        try withFile { path in
            try write(try filled(tiny, tokens, element: element), tokens, to: path)
            let expected = try BundledModel.bytes(path)
            let session = try filled(tiny, Self.prompt, element: element)
            session.cache.truncate(to: 21)
            try write(session, tokens, to: path)
            #expect(try BundledModel.bytes(path) == expected)
        }
    }

    @Test func refusesWhatDoesNotFit() throws {
        let tiny = try TinyModel(.q4)
        try withFile { path in
            try write(try filled(tiny, Self.prompt, element: .f16), Self.prompt, to: path)
            func message(_ session: LlamaSession) throws -> String {
                let error = #expect(throws: SessionFileError.self) { try SessionFile(path: path).restore(into: session) }
                #expect(session.cache.count == 0)
                return try #require(error).message
            }
            #expect(try message(tiny.session(element: .q8)) == "its cache has f16 elements, expected q8; use --kv f16, or another --session file")
            #expect(try message(tiny.session(context: 45)) == "it holds 46 positions, expected at most 45, the context; raise --context, or give another --session file")
            #expect(try message(TinyModel(.q8).session()).hasPrefix("the session of another model (SHA-256 of its header "))
            let folded = try tiny.session(precision: .requantized)
            _ = try folded.append(Self.prompt[...], logits: .none)
            try write(folded, Self.prompt, to: path)
            #expect(try message(tiny.session()) == "it was computed without --exact; leave --exact out, or give another --session file")
        }
    }

    /// Every byte of header, tokens and metadata, some of the rest, and every length: an error, and nothing in the cache.
    @Test func hostileBytesAreRefused() throws {
        let tiny = try TinyModel(.q4)
        let tokens = Array(Self.prompt[..<3])
        try withFile { path in
            try write(try filled(tiny, tokens, element: .q8), tokens, to: path)
            let bytes = try BundledModel.bytes(path)
            let session = try tiny.session(element: .q8)
            func isRefused(_ changed: [UInt8]) throws -> Bool {
                try put(changed, path)
                do { try SessionFile(path: path).restore(into: session) } catch { return session.cache.count == 0 }
                return false
            }
            for index in Array(0..<400) + Array(stride(from: 400, to: bytes.count, by: 997)) + [bytes.count - 1] {
                var changed = bytes
                changed[index] ^= 0x41
                #expect(try isRefused(changed), "byte \(index)")
            }
            for length in Array(0..<300) + [4095, 4096, bytes.count - 1] { #expect(try isRefused(Array(bytes[..<length])), "\(length) bytes") }
            #expect(try isRefused(bytes + [0]))
            #expect(try !isRefused(bytes))
        }
    }

    /// Digests that are right do not make numbers right.
    @Test func forgedHeadersAreRefused() throws {
        let tiny = try TinyModel(.q4)
        let tokens = Array(Self.prompt[..<3])
        try withFile { path in
            try write(try filled(tiny, tokens, element: .f16), tokens, to: path)
            let bytes = try BundledModel.bytes(path)
            let session = try tiny.session(element: .f16)
            func message(_ change: (inout [UInt8]) -> Void) throws -> String {
                var changed = bytes
                change(&changed)
                ForgedDigests.renew(&changed)
                try put(changed, path)
                let error = #expect(throws: SessionFileError.self) { try SessionFile(path: path).restore(into: session) }
                #expect(session.cache.count == 0)
                return try #require(error).message
            }
            for (offset, name) in [(32, "element"), (36, "layers"), (40, "heads"), (44, "head_size"), (48, "positions"), (56, "metadata_bytes"), (64, "cache_offset")] {
                for value in [UInt32.max, 1 << 20, 65536, 0] where !(offset == 48 && value == 1 << 20) {
                    let text = try message { $0.replaceSubrange(offset..<offset + 4, with: withUnsafeBytes(of: value.littleEndian) { Array($0) }) }
                    #expect(text.contains(name) || text.contains("the file has") || text.contains("cache_offset is"), "\(name) \(value): \(text)")
                }
            }
            #expect(try message { $0[8] = 2 }.hasPrefix("version 2 of the format, this program reads version 1"))
            #expect(try message { $0[16] = 1 }.hasPrefix("needs features 0x1"))
            #expect(try message { $0[72] = 1 }.hasPrefix("header: a reserved byte is not 0"))
            #expect(try message { $0[259] = 0x7F }.hasPrefix("token 2130706433 of a vocabulary of 4096"))
            #expect(try message { $0[268] = 0x5B }.hasPrefix("metadata: "))
            #expect(try message { $0.replaceSubrange(4096..<4098, with: [0x00, 0x7C]) }.hasPrefix("a key or value is not finite"))
        }
    }

    private func put(_ bytes: [UInt8], _ path: String) throws {
        let file = try #require(fopen(path, "w"))
        defer { fclose(file) }
        #expect(fwrite(bytes, 1, bytes.count, file) == bytes.count)
    }
}
