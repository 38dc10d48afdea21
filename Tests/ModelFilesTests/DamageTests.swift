import ByteStorage
import Glibc
import ModelFiles
import Tensors
import Testing

struct DamageTests {
    /// Every byte of the file, changed: opening refuses it, or (tensor bytes) verifying names the tensor.
    @Test(arguments: [0x01, 0x80, 0xFF] as [UInt8]) func everyChangedByteIsFound(mask: UInt8) throws {
        let folder = TemporaryFolder()
        let path = "\(folder.path)/model.quern"
        let size = Int(try SampleModel.write(to: path))
        let original = try ReadableFile(path: path).readAll(limit: 1 << 20)
        let tensors = try ModelFileReader(path: path).tensors
        let descriptor = open(path, O_WRONLY | O_CLOEXEC)
        defer { close(descriptor) }
        var missed: [Int] = []
        for position in 0..<size {
            var changed = original[position] ^ mask
            pwrite(descriptor, &changed, 1, position)
            if !Self.isFound(path, position, tensors) { missed.append(position) }
            var restored = original[position]
            pwrite(descriptor, &restored, 1, position)
        }
        #expect(missed == [])
        try ModelFileReader(path: path).verify(threads: 1)
    }

    private static func isFound(_ path: String, _ position: Int, _ tensors: [TensorRecord]) -> Bool {
        let isData = (4096..<Int(tensors.last!.end)).contains(position)
        guard let reader = try? ModelFileReader(path: path) else { return !isData }
        guard isData else { return false }
        let owner = tensors.last { Int($0.offset) <= position }!
        // Views stay valid whatever the bytes are.
        for tensor in reader.tensors where reader.bytes(of: tensor).count != Int(tensor.bytes) { return false }
        do throws(ModelFileError) {
            try reader.verify(threads: 1)
            return false
        } catch { return error.code == .damaged && error.damagedTensors == [owner.name] && error.tensor == owner.name }
    }

    @Test func everyTruncationIsFound() throws {
        let folder = TemporaryFolder()
        let path = "\(folder.path)/model.quern"
        let size = Int(try SampleModel.write(to: path))
        for length in stride(from: size - 1, through: 0, by: -1) {
            truncate(path, length)
            do throws(ModelFileError) {
                _ = try ModelFileReader(path: path)
                Issue.record("a file cut to \(length) bytes opens")
            } catch {
                let expected: ModelFileError.Code = length == 0 ? .notAModelFile : .wrongSize
                if error.code != expected { Issue.record("cut to \(length): \(error)") }
            }
        }
    }

    @Test func allDamagedTensorsAreNamed() throws {
        let folder = TemporaryFolder()
        let forgery = try Forgery(folder)
        var bytes = forgery.bytes
        let tensors = try ModelFileReader(path: "\(folder.path)/original.quern").tensors
        bytes[Int(tensors[4].offset) + 3] ^= 4
        bytes[Int(tensors[0].end) + 1] = 9
        let path = folder.file("damaged.quern", bytes)
        let reader = try ModelFileReader(path: path)
        let error = try #require(throws: ModelFileError.self) { try reader.verify(threads: 3) }
        #expect(error.damagedTensors == ["embed", "q8"])
        #expect(
            error.description == """
                \(path): 2 of 5 tensors are wrong:
                  tensor 'embed': byte \(tensors[0].end + 1), behind its end, is 9, expected 0
                  tensor 'q8': its 2176 bytes do not have the stored SHA-256
                the file is damaged: copy it again, or convert the model again
                """)
    }

    @Test func everySectionHasItsMessage() throws {
        let folder = TemporaryFolder()
        let bytes = try Forgery(folder).bytes
        let header = try ModelFileReader(path: "\(folder.path)/original.quern").header
        func error(changing position: UInt64) throws -> String? {
            var changed = bytes
            changed[Int(position)] ^= 0x10
            return try SampleModel.openingError(folder, changed)
        }
        let cure = "; the file is damaged: copy it again, or convert the model again"
        #expect(try error(changing: 100) == "header: its bytes do not have the SHA-256 stored at byte 4064" + cure)
        for kind in [ModelFileHeader.SectionKind.directory, .metadata, .tokenizer] {
            let section = header[kind]
            #expect(
                try error(changing: section.offset + section.storedBytes / 2)
                    == "\(kind) section: its \(section.storedBytes) bytes do not have the SHA-256 stored in the header" + cure)
        }
        let gap = header[.directory].end
        #expect(gap < header[.metadata].offset)
        #expect(try error(changing: gap) == "byte \(gap), between the directory and metadata sections, is 16, expected 0" + cure)
        #expect(try error(changing: header[.data].offset) == nil)
    }

    @Test(arguments: [
        (0, 0x7F80_0000, "the row scale of row 0 is inf, expected a finite number"),
        (1, 0x7FC0_0000, "the row scale of row 16 is nan, expected a finite number"),
    ]) func rowScalesMustBeFinite(panel: Int, bits: Int, text: String) throws {
        let message = try verifyError("q4") { bytes, tensor in
            Forgery.store(UInt32(bits), in: &bytes, at: panel * tensor.layout.panelBytes)
        }
        #expect(message == "tensor 'q4': \(text)" + Self.cure)
    }

    @Test func floatValuesMustBeFinite() throws {
        let half = try verifyError("embed") { bytes, _ in Forgery.store(UInt16(0xFC00), in: &bytes, at: 30) }
        #expect(half == "tensor 'embed': the value at its byte 30 is infinite or no number, expected a finite number" + Self.cure)
        let single = try verifyError("norm") { bytes, _ in Forgery.store(UInt32(0x7F80_0001), in: &bytes, at: 64) }
        #expect(single == "tensor 'norm': the value at its byte 64 is infinite or no number, expected a finite number" + Self.cure)
    }

    private static let cure = "; the program that wrote the file broke its format: convert the model again"

    private func verifyError(_ name: String, _ change: (inout [UInt8], TensorRecord) -> Void) throws -> String {
        let folder = TemporaryFolder()
        let path = "\(folder.path)/model.quern"
        try SampleModel.write(to: path) { tensor in
            var bytes = SampleModel.bytes(of: tensor)
            if tensor.name == name { change(&bytes, tensor) }
            return bytes
        }
        let reader = try ModelFileReader(path: path)
        let error = try #require(throws: ModelFileError.self) { try reader.verify(threads: 2) }
        #expect(error.code == .invalid && error.damagedTensors == [name])
        return error.message
    }
}
