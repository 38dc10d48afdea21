import ByteStorage
import ModelFiles
import Tensors
import Testing

struct WriterTests {
    private func message(_ plan: [PlannedTensor], path: String = "x.quern") -> String {
        do throws(ModelFileError) {
            _ = try ModelFilePlan(plan, path: path)
            return ""
        } catch { return "\(error)" }
    }

    private func vector(_ name: String, rows: Int = 1) -> PlannedTensor {
        PlannedTensor(name: name, type: .f32, rank: 1, rows: rows, columns: 1, sourceType: .f32)
    }

    @Test func plansBeyondTheFormatAreRefused() {
        let head = "x.quern: cannot hold this model: "
        #expect(message([]) == head + "0 tensors, expected 1 ... 65536")
        #expect(message([vector("a"), vector("a")]) == head + "tensor 'a': the name occurs twice")
        #expect(message([vector("")]) == head + "tensor '': the name has 0 bytes, expected 1 ... 256")
        #expect(message([vector("a\tb")]) == head + "tensor 'a\\u{9}b': the name holds the control byte 0x09")
        #expect(
            message([vector("a", rows: 1 << 31 + 1)])
                == head + "tensor 'a': dimensions are \(1 << 31 + 1) x 1, expected each 1 ... 2^31 and the product at most 2^40")
        #expect(message((0..<65537).map { vector("\($0)") }) == head + "65537 tensors, expected 1 ... 65536")
    }

    @Test func offsetsAreKnownInAdvance() throws {
        let folder = TemporaryFolder()
        let plan = try ModelFilePlan(SampleModel.plan, path: "x")
        let writer = try ModelFileWriter(path: "\(folder.path)/x", plan: SampleModel.plan, extraReserve: 0)
        #expect(writer.plannedTensors == plan.tensors && writer.plannedDataEnd == plan.dataEnd)
        #expect(plan.tensors.map(\.offset) == [4096, 8192, 12288, 20480, 24576])
        #expect(plan.directoryBytes == 16 + 5 * 256 + 16)
    }

    @Test func discardAndAbandoningLeaveNothing() throws {
        let folder = TemporaryFolder()
        let path = folder.file("model.quern", [1, 2, 3])
        do {
            let writer = try ModelFileWriter(path: path, plan: SampleModel.plan, extraReserve: 100)
            #expect(try Folders.names(in: folder.path).count == 2)
            writer.discard()
            #expect(try Folders.names(in: folder.path) == ["model.quern"])
            writer.discard()
        }
        do { _ = try ModelFileWriter(path: path, plan: SampleModel.plan, extraReserve: 100) }
        #expect(try Folders.names(in: folder.path) == ["model.quern"])
        #expect(try ReadableFile(path: path).readAll(limit: 10) == [1, 2, 3])
        try SampleModel.write(to: path)
        _ = try ModelFileReader(path: path)
    }

    @Test func readersKeepTheFileThatTheyOpened() throws {
        let folder = TemporaryFolder()
        let path = "\(folder.path)/model.quern"
        try SampleModel.write(to: path)
        let reader = try ModelFileReader(path: path)
        try SampleModel.write(to: path, plan: [vector("other")])
        try reader.verify(threads: 2)
        #expect(SampleModel.stored(reader.tensors[0], in: reader) == SampleModel.bytes(of: reader.tensors[0]))
    }

    @Test func largeMetadataIsRefusedAndNothingIsLeft() throws {
        let folder = TemporaryFolder()
        var metadata = SampleModel.metadata
        metadata.config = String(repeating: "a", count: 64 << 20)
        let path = "\(folder.path)/model.quern"
        let error = try #require(throws: ModelFileError.self) { try SampleModel.write(to: path, metadata: metadata) }
        #expect(error.code == .tooLarge && error.message.hasSuffix("bytes, expected at most 67108864"))
        #expect(try Folders.names(in: folder.path) == [])
    }

    @Test func aFullDiskIsNoticedBeforeAnyWork() throws {
        let folder = TemporaryFolder()
        let path = "\(folder.path)/model.quern"
        let error = try #require(throws: ModelFileError.self) {
            _ = try ModelFileWriter(path: path, plan: [vector("a")], extraReserve: 1 << 50)
        }
        #expect(error.code == .system && error.message.hasPrefix("cannot reserve 1125899906"))
        #expect(error.message.hasSuffix("; free some space or choose another folder"))
        #expect(try Folders.names(in: folder.path) == [])
    }
}
