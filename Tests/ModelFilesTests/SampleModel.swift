import ByteStorage
import ModelFiles
import StrictJSON
import Tensors

/// A small model with every storage type and padded shapes.
enum SampleModel {
    static let grids = (0..<64).map { UInt8(1 + ($0 * 31) % 127) }

    static let plan = [
        PlannedTensor(name: "embed", type: .f16, rank: 2, rows: 3, columns: 7, sourceType: .bf16),
        PlannedTensor(name: "norm", type: .f32, rank: 1, rows: 17, columns: 1, sourceType: .f32),
        PlannedTensor(name: "q4", type: .q4, rank: 2, rows: 20, columns: 130, sourceType: .bf16, grids: grids),
        PlannedTensor(name: "q4s", type: .q4s, rank: 2, rows: 16, columns: 128, sourceType: .f16, grids: grids),
        PlannedTensor(name: "q8", type: .q8, rank: 2, rows: 1, columns: 1, sourceType: .f32),
    ]

    static let metadata = ModelMetadata(
        generator: .init(name: "quern", version: "1.0"), options: ["type": "q4", "seed": 7],
        sources: [.init(name: "model.safetensors", bytes: 12, sha256: Digest32.of([1, 2, 3]))], config: "{\"a\": 1}\n",
        generationConfig: "{}", calibration: nil)

    static let tokenizer = TokenizerArchive(files: [
        .init(name: "tokenizer.model", bytes: Array(0...255)), .init(name: "tokenizer_config.json", bytes: []),
    ])

    /// Bytes of a tensor: arbitrary codes, finite row scales and values.
    static func bytes(of tensor: TensorRecord) -> [UInt8] {
        (0..<Int(tensor.bytes)).map { index in
            // The highest byte of each f32 and f16 stays small, so that no exponent is saturated.
            index % 2 == 1 ? 0x3A : UInt8(truncatingIfNeeded: index * 37 + 11)
        }
    }

    static func stored(_ tensor: TensorRecord, in reader: ModelFileReader) -> [UInt8] {
        withExtendedLifetime(reader) { Array(reader.bytes(of: tensor)) }
    }

    static func errors(index: Int) -> ErrorSums {
        var sums = ErrorSums()
        sums.signal = 100 + Double(index)
        sums.noise = 0.25
        sums.stored = 99.5
        sums.product = -1.5
        sums.largest = 0.125
        sums.worstRow = 0
        sums.worstRowRatio = 0.0625
        return sums
    }

    @discardableResult
    static func write(
        to path: String, plan: [PlannedTensor] = plan, metadata: ModelMetadata = metadata, tokenizer: TokenizerArchive = tokenizer,
        bytes: (TensorRecord) -> [UInt8] = { SampleModel.bytes(of: $0) }
    ) throws(ModelFileError) -> UInt64 {
        let writer = try ModelFileWriter(path: path, plan: plan, extraReserve: 1 << 16)
        // Backwards: the order of writing must not matter.
        for (index, tensor) in writer.plannedTensors.enumerated().reversed() {
            let content = bytes(tensor)
            try content.withUnsafeBufferPointer { (buffer) throws(ModelFileError) in
                let raw = UnsafeRawBufferPointer(buffer)
                let half = raw.count / 2
                let (first, second) = (raw[..<half], raw[half...])
                try writer.writeTensorBytes(index: index, offsetInTensor: UInt64(half), bytes: .init(rebasing: second))
                try writer.writeTensorBytes(index: index, offsetInTensor: 0, bytes: .init(rebasing: first))
            }
            writer.setDigest(index: index, sha256: Digest32.of(content), errors: errors(index: index))
        }
        return try writer.finish(metadata: metadata, tokenizer: tokenizer)
    }
}

/// The parts of a model file, to be changed and put together again with right offsets and digests.
struct Forgery {
    var data: [UInt8]
    var directory: [UInt8]
    var metadata: [UInt8]
    var metadataBytes: UInt64
    var tokenizer: [UInt8]
    var tokenizerBytes: UInt64
    var dataDigest: Digest32
    var isByteLevel = false
    /// Changes the header before it is signed.
    var changeHeader: (inout [UInt8]) -> Void = { _ in }

    init(_ folder: TemporaryFolder) throws {
        let path = "\(folder.path)/original.quern"
        try SampleModel.write(to: path)
        let reader = try ModelFileReader(path: path)
        func section(_ kind: ModelFileHeader.SectionKind) -> [UInt8] {
            let section = reader.header[kind]
            return withExtendedLifetime(reader) { Array(reader.mapping.bytes[Int(section.offset)..<Int(section.end)]) }
        }
        data = section(.data)
        directory = section(.directory)
        metadata = section(.metadata)
        metadataBytes = reader.header[.metadata].contentBytes
        tokenizer = section(.tokenizer)
        tokenizerBytes = reader.header[.tokenizer].contentBytes
        dataDigest = reader.header[.data].sha256
    }

    static func store<T: FixedWidthInteger>(_ value: T, in bytes: inout [UInt8], at offset: Int) {
        Swift.withUnsafeBytes(of: value.littleEndian) { bytes.replaceSubrange(offset..<offset + $0.count, with: $0) }
    }

    /// Offset in the directory of a record's field.
    static func record(_ index: Int, _ field: Int) -> Int { 16 + 256 * index + field }

    mutating func setMetadata(_ text: String) {
        metadata = ZstdFrame.compress(Array(text.utf8))
        metadataBytes = UInt64(text.utf8.count)
    }

    mutating func setTokenizer(_ bytes: [UInt8]) {
        tokenizer = ZstdFrame.compress(bytes)
        tokenizerBytes = UInt64(bytes.count)
    }

    var bytes: [UInt8] {
        var file = [UInt8](repeating: 0, count: 4096) + data
        var sections = [
            ModelFileHeader.Section(
                kind: .data, offset: 4096, storedBytes: UInt64(data.count), contentBytes: UInt64(data.count), sha256: dataDigest)
        ]
        for (kind, stored, content) in [
            (ModelFileHeader.SectionKind.directory, directory, UInt64(directory.count)), (.metadata, metadata, metadataBytes),
            (.tokenizer, tokenizer, tokenizerBytes),
        ] {
            file += [UInt8](repeating: 0, count: (64 - file.count % 64) % 64)
            sections.append(
                .init(kind: kind, offset: UInt64(file.count), storedBytes: UInt64(stored.count), contentBytes: content, sha256: Digest32.of(stored)))
            file += stored
        }
        var header = ModelFileHeader(sections: sections, isByteLevel: isByteLevel).encoded()
        changeHeader(&header)
        header.replaceSubrange(4064..<4096, with: Digest32.of(Array(header[..<4064])).bytes)
        file.replaceSubrange(0..<4096, with: header)
        return file
    }

    /// The error that opening gives, without the path; nil when it opens.
    func openingError(_ folder: TemporaryFolder) throws -> String? {
        try SampleModel.openingError(folder, bytes)
    }
}

extension SampleModel {
    static func openingError(_ folder: TemporaryFolder, _ bytes: [UInt8]) throws -> String? {
        let path = folder.file("forged.quern", bytes)
        do {
            _ = try ModelFileReader(path: path)
            return nil
        } catch { return "\(error)".replacing("\(path): ", with: "") }
    }
}
