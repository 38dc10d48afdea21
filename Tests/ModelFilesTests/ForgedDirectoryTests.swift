import ModelFiles
import Testing

/// Directories with right digests but wrong content.
struct ForgedDirectoryTests {
    private struct Case {
        var change: (inout [UInt8]) -> Void
        var message: String

        init(_ message: String, _ change: @escaping (inout [UInt8]) -> Void) {
            self.change = change
            self.message = message
        }

        /// Stores one value in a field of a record.
        init<T: FixedWidthInteger>(_ record: Int, _ field: Int, _ value: T, _ message: String) {
            self.init(message) { Forgery.store(value, in: &$0, at: Forgery.record(record, field)) }
        }
    }

    private func check(_ cases: [Case]) throws {
        let folder = TemporaryFolder()
        let original = try Forgery(folder)
        for item in cases {
            var forgery = original
            item.change(&forgery.directory)
            let cure = item.message.contains("use a newer quern") ? "" : "; the program that wrote the file broke its format: convert the model again"
            #expect(try forgery.openingError(folder) == "directory: " + item.message + cure)
        }
    }

    @Test func heads() throws {
        // Five records, names "embed", "norm", "q4", "q4s", "q8".
        let size = 16 + 5 * 256 + 16
        try check([
            Case("tensor_count is 0, expected 1 ... 65536") { Forgery.store(UInt32(0), in: &$0, at: 0) },
            Case("tensor_count is 4294967295, expected 1 ... 65536") { Forgery.store(UInt32.max, in: &$0, at: 0) },
            Case("65536 tensors and 16 bytes of names need 16777248 bytes, but the section has \(size)") {
                Forgery.store(UInt32(65536), in: &$0, at: 0)
            },
            Case("5 tensors and 4294967295 bytes of names need 4294968591 bytes, but the section has \(size)") {
                Forgery.store(UInt32.max, in: &$0, at: 8)
            },
            Case("record_bytes is 128, expected 256") { Forgery.store(UInt32(128), in: &$0, at: 4) },
            Case("reserved byte 13 is 1, expected 0") { $0[13] = 1 },
            Case("the section has 15 bytes, expected at least 16") { $0 = Array($0.prefix(15)) },
            Case("5 tensors and 16 bytes of names need \(size) bytes, but the section has \(size + 1)") { $0.append(0) },
            Case("name_bytes is 17, but the tensors' names have 16 bytes") {
                Forgery.store(UInt32(17), in: &$0, at: 8)
                $0.append(0x61)
            },
            Case("the last tensor ends at byte 21632, expected the end of the data section, 26752") {
                // The last record and its name are cut away.
                Forgery.store(UInt32(4), in: &$0, at: 0)
                Forgery.store(UInt32(14), in: &$0, at: 8)
                $0.removeLast(2)
                $0.removeSubrange(Forgery.record(4, 0)..<Forgery.record(5, 0))
            },
        ])
    }

    @Test func names() throws {
        let names = 16 + 5 * 256
        try check([
            Case(1, 0, UInt32(4), "record 1: name_offset is 4, expected 5"),
            Case(2, 0, UInt32.max, "record 2: name_offset is 4294967295, expected 9"),
            Case(0, 4, UInt16(0), "record 0: name_length is 0, expected 1 ... 256"),
            Case(0, 4, UInt16(257), "record 0: name_length is 257, expected 1 ... 256"),
            Case(4, 4, UInt16(3), "record 4: the name of 3 bytes at 14 ends behind the name block of 16 bytes"),
            Case("record 0: the name holds the control byte 0x0a") { $0[names] = 0x0A },
            Case("record 0: the name holds the control byte 0x7f") { $0[names + 4] = 0x7F },
            Case("record 0: the name is not valid UTF-8") { $0[names] = 0xC0 },
            Case("tensor 'q4': the name occurs twice") { $0[names + 15] = UInt8(ascii: "4") },
        ])
    }

    @Test func fields() throws {
        try check([
            Case(0, 6, UInt16(99), "tensor 'embed': storage_type is 99, which this program does not know; use a newer quern"),
            Case(0, 8, UInt16(0), "tensor 'embed': rank is 0, expected 1 ... 2"),
            Case(0, 8, UInt16(3), "tensor 'embed': rank is 3, expected 1 ... 2"),
            Case(0, 8, UInt16(1), "tensor 'embed': columns is 7, expected 1"),
            Case(0, 10, UInt16(4), "tensor 'embed': source_type is 4, expected 1 (F32), 2 (F16) or 3 (BF16)"),
            Case(0, 12, UInt32(256), "tensor 'embed': reserved byte 13 is 1, expected 0"),
            Case(0, 16, UInt64(0), "tensor 'embed': rows is 0, expected 1 ... 2147483648"),
            Case(0, 16, UInt64.max, "tensor 'embed': rows is 18446744073709551615, expected 1 ... 2147483648"),
            Case(0, 24, UInt64(1) << 32, "tensor 'embed': columns is 4294967296, expected 1 ... 2147483648"),
            Case("tensor 'embed': rows x columns is 2147483648 x 2147483648, expected at most 2^40 values") {
                Forgery.store(UInt64(1) << 31, in: &$0, at: Forgery.record(0, 16))
                Forgery.store(UInt64(1) << 31, in: &$0, at: Forgery.record(0, 24))
            },
            Case(0, 32, UInt64(0), "tensor 'embed': offset is 0, expected 4096"),
            Case(1, 32, UInt64.max, "tensor 'norm': offset is 18446744073709551615, expected 8192"),
            Case(0, 40, UInt64(225), "tensor 'embed': bytes is 225, but f16 of 3 x 7 has 224"),
            Case(0, 40, UInt64.max, "tensor 'embed': bytes is 18446744073709551615, but f16 of 3 x 7 has 224"),
            Case("tensor 'embed': 2199023255552 bytes at 4096 end behind the data section, which ends at 26752") {
                // 2^40 values, in a small file.
                Forgery.store(UInt64(1) << 20, in: &$0, at: Forgery.record(0, 16))
                Forgery.store(UInt64(1) << 20, in: &$0, at: Forgery.record(0, 24))
                Forgery.store(UInt64(1) << 41, in: &$0, at: Forgery.record(0, 40))
            },
            Case(0, 136, UInt64(1), "tensor 'embed': reserved byte 136 is 1, expected 0"),
            Case(0, 248, UInt64(1) << 56, "tensor 'embed': reserved byte 255 is 1, expected 0"),
        ])
    }

    @Test func errorSumsAndGrids() throws {
        let (nan, infinite, negative) = (Double.nan.bitPattern, Double.infinity.bitPattern, (-1.0).bitPattern)
        try check([
            Case(0, 80, nan, "tensor 'embed': signal is nan, expected a finite number, 0 or more"),
            Case(0, 88, infinite, "tensor 'embed': noise is inf, expected a finite number, 0 or more"),
            Case(0, 96, negative, "tensor 'embed': stored is -1.0, expected a finite number, 0 or more"),
            Case(0, 104, nan, "tensor 'embed': product is nan, expected a finite number"),
            Case(0, 112, negative, "tensor 'embed': largest_error is -1.0, expected a finite number, 0 or more"),
            Case(0, 120, infinite, "tensor 'embed': worst_row_ratio is inf, expected a finite number, 0 or more"),
            Case(0, 128, UInt64(3), "tensor 'embed': worst_row is 3, expected 0 ... 2"),
            Case(0, 128, UInt64.max, "tensor 'embed': worst_row is 18446744073709551615, expected 0 ... 2"),
            Case(0, 144, UInt8(1), "tensor 'embed': reserved byte 144 is 1, expected 0"),
            Case(2, 144, UInt8(0), "tensor 'q4': value 0 of grid 0 is 0, expected 1 ... 127"),
            Case(3, 207, UInt8(128), "tensor 'q4s': value 15 of grid 3 is 128, expected 1 ... 127"),
        ])
    }
}
