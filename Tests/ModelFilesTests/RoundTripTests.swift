import ByteStorage
import ModelFiles
import StrictJSON
import Synchronization
import Tensors
import Testing

struct RoundTripTests {
    @Test func everythingComesBack() throws {
        let folder = TemporaryFolder()
        let path = "\(folder.path)/model.quern"
        let size = try SampleModel.write(to: path)
        let reader = try ModelFileReader(path: path)
        #expect(reader.fileBytes == size && UInt64(reader.mapping.bytes.count) == size)
        #expect(reader.metadata == SampleModel.metadata)
        #expect(reader.tokenizer == SampleModel.tokenizer)
        #expect(reader.tokenizer["tokenizer.model"] == Array(0...255))
        #expect(reader.tensors.count == SampleModel.plan.count)
        var end: UInt64 = 4096
        for (index, planned) in SampleModel.plan.enumerated() {
            let tensor = reader.tensors[index]
            #expect(PlannedTensor(tensor) == planned)
            #expect(tensor.offset == (end + 4095) / 4096 * 4096)
            end = tensor.end
            #expect(tensor.bytes == UInt64(tensor.layout.byteCount))
            #expect(tensor.errors == SampleModel.errors(index: index))
            #expect(SampleModel.stored(tensor, in: reader) == SampleModel.bytes(of: tensor))
            #expect(reader.tensor(named: planned.name) == tensor)
        }
        #expect(reader.header[.data].end == end)
        #expect(reader.tensor(named: "absent") == nil)
        #expect(ModelFileReader.looksLikeModelFile(path))
        #expect(try Folders.names(in: folder.path) == ["model.quern"])
    }

    @Test func sameInputGivesSameBytes() throws {
        let folder = TemporaryFolder()
        try SampleModel.write(to: "\(folder.path)/a.quern")
        try SampleModel.write(to: "\(folder.path)/b.quern")
        let a = try ReadableFile(path: "\(folder.path)/a.quern").readAll(limit: 1 << 20)
        #expect(try ReadableFile(path: "\(folder.path)/b.quern").readAll(limit: 1 << 20) == a)
    }

    @Test(arguments: [1, 2, 64]) func verifyAcceptsAndCounts(threads: Int) throws {
        let folder = TemporaryFolder()
        let path = "\(folder.path)/model.quern"
        // More than one chunk, so that pieces join.
        let plan = SampleModel.plan + [PlannedTensor(name: "large", type: .f16, rank: 2, rows: 1024, columns: 3001, sourceType: .f16)]
        try SampleModel.write(to: path, plan: plan)
        let reader = try ModelFileReader(path: path)
        let last = Mutex<UInt64>(0)
        let total = reader.tensors.reduce(0) { $0 + $1.bytes }
        try reader.verify(threads: threads) { done, all in
            last.withLock { previous in
                #expect(done > previous && all == total)
                previous = done
            }
        }
        #expect(last.withLock { $0 } == total)
    }

    @Test func namesAreComparedAsBytes() throws {
        let folder = TemporaryFolder()
        let path = "\(folder.path)/model.quern"
        let names = ["\u{E9}", "e\u{301}"]
        #expect(names[0] == names[1])
        try SampleModel.write(
            to: path, plan: names.map { PlannedTensor(name: $0, type: .f32, rank: 1, rows: 1, columns: 1, sourceType: .f32) })
        let reader = try ModelFileReader(path: path)
        #expect(reader.tensor(named: names[0])?.offset == 4096)
        #expect(reader.tensor(named: names[1])?.offset == 8192)
    }

    @Test func metadataKeepsTextAndOrder() throws {
        var metadata = SampleModel.metadata
        metadata.options = ["z": 1, "a": "two", "m": 0.5, "large": JSONValue(UInt64.max)]
        metadata.config = "{ \"\u{0}\": \"\u{1F600}\\u00e9\" }\r\n"
        metadata.generationConfig = nil
        metadata.calibration = "id-1"
        let decoded = try ModelMetadata(decoding: metadata.encoded(), path: "m")
        #expect(decoded == metadata)
        #expect(decoded.options.keys.map(\.string) == ["z", "a", "m", "large"])
        #expect(Array(decoded.config.utf8) == Array(metadata.config.utf8))
    }

    @Test func zstdFramesAreStable() throws {
        let content = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 / 7) }
        let frame = ZstdFrame.compress(content)
        #expect(frame == ZstdFrame.compress(content))
        let back = try frame.withUnsafeBytes { try ZstdFrame.decompress($0, expectedSize: 100_000, limit: 100_000) }
        #expect(back == content)
    }

    @Test func digestsMatchKnownValues() {
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        var digest = StreamingDigest()
        for byte in Array("abc".utf8) { [byte].withUnsafeBytes { digest.update($0) } }
        #expect(digest.finalize().hex == abc)
        #expect(Digest32(hex: abc) == digest.finalize())
        #expect(Digest32(hex: abc.uppercased()) == nil && Digest32(hex: String(abc.dropLast())) == nil)
    }
}

extension PlannedTensor {
    init(_ record: TensorRecord) {
        self.init(
            name: record.name, type: record.type, rank: record.rank, rows: record.rows, columns: record.columns,
            sourceType: record.sourceType, grids: record.grids)
    }
}
