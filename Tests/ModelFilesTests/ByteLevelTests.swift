import ByteStorage
import ModelFiles
import Testing
import TokenizerProbes

/// Files whose tokenizer section needs feature bit 1.
struct ByteLevelTests {
    private static let json = [UInt8](repeating: 7, count: 100_000)
    private static let archive = TokenizerArchive(files: [
        .init(name: "tokenizer.json", bytes: json), .init(name: TokenizerArchive.byteLevelName, bytes: [1, 2, 3]),
    ])
    private static let cure = "; the program that wrote the file broke its format: convert the model again"

    @Test func everythingComesBack() throws {
        let folder = TemporaryFolder()
        let path = "\(folder.path)/model.quern"
        var metadata = SampleModel.metadata
        metadata.tokenizerProbes = [.init(text: "a\u{0}\u{2028}\u{1F999}", parsesSpecial: true, ids: [0, 5, .max], decoded: "\u{FFFD}")]
        try SampleModel.write(to: path, metadata: metadata, tokenizer: Self.archive)
        let reader = try ModelFileReader(path: path)
        #expect(reader.metadata == metadata)
        #expect(reader.header.isByteLevel && reader.mapping.bytes[16] == 2)
        #expect(reader.tokenizer.isByteLevel && reader.tokenizer[TokenizerArchive.byteLevelName] == [1, 2, 3])
        // Not decoded when the file opens.
        #expect(reader.header[.tokenizer].contentBytes < 1000)
        #expect(reader.tokenizer["tokenizer.json"] == nil)
        #expect(try reader.tokenizer.files.first { $0.name == "tokenizer.json" }?.contents() == Self.json)
        try reader.verify(threads: 2)
        #expect(reader.tokenizer == Self.archive.packed() && Self.archive.packed() == Self.archive.packed().packed())
        // Other tokenizers are stored as before.
        #expect(SampleModel.tokenizer.packed() == SampleModel.tokenizer)
    }

    @Test func bitAndContentMustAgree() throws {
        let folder = TemporaryFolder()
        var forgery = try Forgery(folder)
        forgery.isByteLevel = true
        #expect(
            try forgery.openingError(folder) == "header: bit 1 of required_features is set, but the tokenizer section has no byte_level.vocabulary" + Self.cure)
        forgery.setTokenizer(Self.archive.packed().encoded())
        #expect(try forgery.openingError(folder) == nil)
        forgery.isByteLevel = false
        #expect(
            try forgery.openingError(folder) == "header: bit 1 of required_features is not set, but the tokenizer section has a byte_level.vocabulary" + Self.cure)
    }

    @Test func verifyingFindsABrokenFrame() throws {
        let folder = TemporaryFolder()
        var forgery = try Forgery(folder)
        forgery.isByteLevel = true
        for (change, message) in [
            ({ (bytes: inout [UInt8]) in bytes.removeLast() }, "the zstd frame is cut or broken (Src size is incorrect)"),
            ({ $0[$0.count - 1] ^= 1 }, "the zstd frame does not decode (Restored data doesn't match checksum)"),
            ({ $0 = [] }, "no zstd frame with its content size begins here"),
        ] {
            var files = Self.archive.packed().files
            change(&files[0].bytes)
            forgery.setTokenizer(TokenizerArchive(files: files).encoded())
            let path = folder.file("broken.quern", forgery.bytes)
            let error = try #require(throws: ModelFileError.self) { try ModelFileReader(path: path).verify(threads: 1) }
            #expect(error.message == "tokenizer: file 'tokenizer.json': \(message)" + Self.cure)
        }
    }
}
