import ByteStorage
import ModelFiles
import Testing

/// Files that are no model files, or not of this version, and headers that are signed but wrong.
struct OtherFileTests {
    private static let magic: [UInt8] = [0x89, 0x51, 0x55, 0x45, 0x52, 0x4E, 0x0D, 0x0A]
    private static let broken = "; the program that wrote the file broke its format: convert the model again"

    @Test(arguments: [
        ([], "the file is empty; expected a quern model file"),
        (
            Array("GGUF\u{3}\0\0\0\0\0\0\0".utf8),
            "this is a GGUF file, not a quern model file; convert the original safetensors checkpoint with 'quern convert'"
        ),
        (
            [0x10, 0, 0, 0, 0, 0, 0, 0] + Array("{\"a\":{}}".utf8),
            "this looks like a safetensors file, not a quern model file; convert the checkpoint's folder with 'quern convert'"
        ),
        (
            Array("hello, world".utf8),
            "this is not a quern model file: it begins with 68 65 6C 6C 6F 2C 20 77, expected 89 51 55 45 52 4E 0D 0A"
        ),
        ([0x41], "this is not a quern model file: it begins with 41, expected 89 51 55 45 52 4E 0D 0A"),
        (
            [0x89, 0x51, 0x55, 0x45, 0x52, 0x4E, 0x0A, 0x01],
            "the bytes after QUERN are 0A 01, expected 0D 0A: a transfer in text mode changed the file; copy it again in binary mode"
        ),
        (
            Array(magic.prefix(5)),
            "the file has 5 bytes, but the header alone has 4096, so it is truncated; copy it again"
        ),
        (
            magic + [1, 0, 0, 0],
            "the file has 12 bytes, but the header alone has 4096, so it is truncated; copy it again"
        ),
        (
            magic + [2, 0, 0, 0],
            "the file has version 2 of the quern format, but this program reads version 1; use a newer quern"
        ),
        (
            magic + [0, 0, 0, 0],
            "the file has version 0 of the quern format, but this program reads version 1; convert the model again"
        ),
    ] as [([UInt8], String)]) func otherFilesAreNamed(bytes: [UInt8], message: String) throws {
        #expect(try SampleModel.openingError(TemporaryFolder(), bytes) == message)
    }

    @Test func missingFilesAndFoldersAreNamed() throws {
        let folder = TemporaryFolder()
        func message(_ path: String) -> String {
            do throws(ModelFileError) {
                _ = try ModelFileReader(path: path)
                return ""
            } catch { return "\(error)" }
        }
        #expect(message("\(folder.path)/absent") == "\(folder.path)/absent: cannot open: No such file or directory; check the path")
        #expect(message(folder.path) == "\(folder.path): is a folder; give a .quern file, made with 'quern convert'")
        #expect(!ModelFileReader.looksLikeModelFile(folder.path))
        #expect(!ModelFileReader.looksLikeModelFile("\(folder.path)/absent"))
        #expect(!ModelFileReader.looksLikeModelFile(folder.file("a", Array("short".utf8))))
        #expect(!ModelFileReader.looksLikeModelFile(folder.file("b", Array("something else".utf8))))
        #expect(ModelFileReader.looksLikeModelFile(folder.file("c", Self.magic)))
    }

    @Test func wrongSizesSayHowMuch() throws {
        let folder = TemporaryFolder()
        let bytes = try Forgery(folder).bytes
        let size = bytes.count
        #expect(
            try SampleModel.openingError(folder, bytes.dropLast(3))
                == "the header says \(size) bytes, but the file has \(size - 3), so it is truncated: 3 bytes are missing; copy it again")
        #expect(
            try SampleModel.openingError(folder, bytes + [0, 0])
                == "the header says \(size) bytes, but the file has \(size + 2), so it is extended: 2 bytes too many; copy it again, or cut what was appended")
    }

    @Test func unknownFeaturesAreNamedByBit() throws {
        let folder = TemporaryFolder()
        var forgery = try Forgery(folder)
        forgery.changeHeader = { Forgery.store(UInt64(1) << 63 | 1, in: &$0, at: 16) }
        #expect(
            try forgery.openingError(folder)
                == "header: the file needs features that this program does not know (bits 0, 63 of required_features); use a newer quern")
    }

    @Test func signedButWrongHeadersAreRefused() throws {
        let folder = TemporaryFolder()
        var forgery = try Forgery(folder)
        try #require(try forgery.openingError(folder) == nil)
        let dataEnd = 4096 + forgery.data.count
        let size = forgery.bytes.count
        let cases: [(change: (inout [UInt8]) -> Void, message: String)] = [
            ({ Forgery.store(UInt32(4095), in: &$0, at: 12) }, "header: header_bytes is 4095, expected 4096"),
            ({ Forgery.store(UInt32(5), in: &$0, at: 32) }, "header: section_count is 5, expected 4"),
            ({ $0[36] = 1 }, "header: reserved byte 36 is 1, expected 0"),
            ({ $0[63] = 2 }, "header: reserved byte 63 is 2, expected 0"),
            ({ $0[320] = 3 }, "header: reserved byte 320 is 3, expected 0"),
            ({ $0[4063] = 4 }, "header: reserved byte 4063 is 4, expected 0"),
            ({ Forgery.store(UInt32(9), in: &$0, at: 64) }, "header: data section: kind is 9, expected 1"),
            ({ Forgery.store(UInt32(1), in: &$0, at: 68) }, "header: data section: encoding is 1, expected 0"),
            ({ Forgery.store(UInt32(0), in: &$0, at: 196) }, "header: metadata section: encoding is 0, expected 1"),
            ({ Forgery.store(UInt64(8192), in: &$0, at: 72) }, "header: data section: offset is 8192, expected 4096"),
            (
                { Forgery.store(UInt64.max, in: &$0, at: 136) },
                "header: directory section: offset is 18446744073709551615, expected \((dataEnd + 63) / 64 * 64)"
            ),
            ({ Forgery.store(UInt64(0), in: &$0, at: 80) }, "header: data section: stored_bytes is 0, expected 1 ... \(size - 4096)"),
            (
                { Forgery.store(UInt64.max, in: &$0, at: 80) },
                "header: data section: stored_bytes is 18446744073709551615, expected 1 ... \(size - 4096)"
            ),
            (
                {
                    Forgery.store(UInt64(size - 4096), in: &$0, at: 80)
                    Forgery.store(UInt64(size - 4096), in: &$0, at: 88)
                    Forgery.store(UInt64((size + 63) / 64 * 64), in: &$0, at: 136)
                },
                "header: directory section: offset is \((size + 63) / 64 * 64), but the file has \(size) bytes"
            ),
            (
                { Forgery.store(UInt64(1), in: &$0, at: 88) },
                "header: data section: content_bytes is 1, expected \(dataEnd - 4096)"
            ),
            (
                { Forgery.store(UInt64(1) << 40, in: &$0, at: 216) },
                "header: metadata section: content_bytes is 1099511627776, expected 1 ... 67108864"
            ),
            ({ Forgery.store(UInt64(0), in: &$0, at: 280) }, "header: tokenizer section: content_bytes is 0, expected 1 ... 268435456"),
            (
                { [count = forgery.tokenizer.count] in Forgery.store(UInt64(count - 1), in: &$0, at: 272) },
                "header: the tokenizer section ends at byte \(size - 1), expected the end of the file, \(size)"
            ),
            ({ $0[96] ^= 1 }, "header: data section: sha256 is not the digest of the tensors' digests"),
        ]
        for (change, message) in cases {
            forgery.changeHeader = change
            #expect(try forgery.openingError(folder) == message + Self.broken)
        }
    }
}
