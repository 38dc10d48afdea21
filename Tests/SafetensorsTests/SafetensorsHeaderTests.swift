import Safetensors
import StrictJSON
import Tensors
import Testing

private func read(_ bytes: [UInt8]) throws(SafetensorsError) -> SafetensorsHeader {
    try SafetensorsHeader(prefix: bytes, fileSize: UInt64(bytes.count), file: "m.safetensors")
}

private func error(_ bytes: [UInt8]) -> String? {
    do throws(SafetensorsError) {
        _ = try read(bytes)
        return nil
    } catch { return error.description }
}

@Suite struct SafetensorsHeaderTests {
    @Test func readsTensorsInTheOrderOfTheirBytes() throws {
        let bytes = file("{\"__metadata__\":{\"format\":\"pt\"}," + record("b", "[2,3]", 4, 16) + "," + record("a", "F32", "[]", 0, 4) + "}   ", data: 16)
        let header = try read(bytes)
        let start = UInt64(bytes.count - 16)
        #expect(header.tensors.map(\.name) == ["a", "b"])
        #expect(header.tensors.map(\.byteOffset) == [start, start + 4])
        #expect(header.tensors.map(\.byteCount) == [4, 12])
        #expect(header.tensors.map(\.shape) == [[], [2, 3]])
        #expect(header.tensors.map(\.type.source) == [.f32, .f16])
        #expect(header.metadata["format"]?.string == "pt")
    }

    @Test(arguments: [
        file("{}", data: 0), file("{}     ", data: 0), file("{\"__metadata__\":{}}", data: 0),
        file(header(record("a", "[0]", 0, 0), record("b", "[3]", 0, 6), record("c", "[0,5]", 6, 6), record("d", "[0]", 6, 6)), data: 6),
        file(header(record("", "U8", "[1]", 0, 1), record("odd \\u0041", "F32", "[1]", 1, 5)), data: 5),
        file(header(record("a", "F4", "[2]", 0, 1), record("b", "F6_E2M3", "[4]", 1, 4)), data: 4),
        file(header(record("a", "[1,1,1,1,1,1,1,1]", 0, 2)), data: 2),
        file("{ \n" + record("a", "[1]", 0, 2) + "\t}", data: 2),
        file(header(record("\u{E9}", "[1]", 0, 2), record("e\u{301}", "[1]", 2, 4)), data: 4),
    ])
    func accepts(bytes: [UInt8]) { #expect(error(bytes) == nil) }

    @Test func everyTypeHasItsSize() throws {
        for type in ElementType.allCases {
            let bytes = Int(type.bits)
            #expect(error(file(header(record("a", type.rawValue, "[8]", 0, bytes)), data: bytes)) == nil)
            #expect(error(file(header(record("a", type.rawValue, "[8]", 0, bytes + 1)), data: bytes + 1)) != nil)
            #expect(error(file("{" + record("a", type.rawValue.lowercased(), "[8]", 0, bytes) + "}", data: bytes)) != nil)
        }
        #expect(ElementType.allCases.compactMap(\.source).count == SourceType.allCases.count)
    }

    @Test(arguments: [
        ([], "a safetensors file starts with 8 bytes that give the length of its header, this one has 0 bytes; download it again"),
        ([0, 0, 0, 0, 0, 0, 0], "a safetensors file starts with 8 bytes that give the length of its header, this one has 7 bytes; download it again"),
        (Array("version https://git-lfs.github.com/spec/v1\n".utf8), "this is a Git LFS pointer, not the weights; fetch them with 'git lfs pull'"),
        ([UInt8](repeating: 255, count: 8), "the header length is 18446744073709551615, at most 100000000 is allowed; this is no safetensors file, or a damaged one"),
        ([1, 0xE1, 0xF5, 5, 0, 0, 0, 0], "the header length is 100000001, at most 100000000 is allowed; this is no safetensors file, or a damaged one"),
        ([100, 0, 0, 0, 0, 0, 0, 0, 0x7B], "truncated: the header alone ends at byte 108, the file has 9 bytes; download it again"),
        (file("", data: 0), "the header must start with '{'; this is no safetensors file, or a damaged one"),
        (file("[]", data: 0), "the header must start with '{'; this is no safetensors file, or a damaged one"),
        (file("null", data: 0), "the header must start with '{'; this is no safetensors file, or a damaged one"),
        (file(" {}", data: 0), "the header must start with '{'; this is no safetensors file, or a damaged one"),
        (file("\u{FEFF}{}", data: 0), "the header must start with '{'; this is no safetensors file, or a damaged one"),
        (file("{}\0\0", data: 0), "header, byte 10 of the file: expected the end of the text, found the byte 0x00"),
        (file("{}\n", data: 0), "header, byte 10 of the file: expected the end of the text, found the byte 0x0A"),
        (file("{}x", data: 0), "header, byte 10 of the file: expected the end of the text, found 'x'"),
        (file("{}{}", data: 0), "header, byte 10 of the file: expected the end of the text, found '{'"),
        (file("{", data: 0), "header, byte 9 of the file: expected a key in double quotes, found the end of the text"),
        (file([0x7B, 0x22, 0xFF, 0x22, 0x3A, 0x31, 0x7D], data: 0), "header, byte 10 of the file: invalid UTF-8"),
        (file("{\"\\ud800\":1}", data: 0), "header, byte 10 of the file: the escape is half of a surrogate pair"),
        (file("{\"a\":NaN}", data: 0), "header, byte 13 of the file: expected a value, found 'N'"),
        (file("{\"a\":" + String(repeating: "[", count: 200), data: 0), "header, byte 20 of the file: nested deeper than 8"),
        (file("{\"__metadata__\":{},\"__metadata__\":{}}", data: 0), "header, byte 27 of the file: the key '__metadata__' appears twice in one object"),
        (file("{\"__metadata__\":{\"a\":\"1\",\"a\":\"1\"}}", data: 0), "header, byte 33 of the file: the key 'a' appears twice in one object"),
        (file("{\"__metadata__\":{\"a\":1}}", data: 0), "'__metadata__': 'a' must be a string, found 1"),
        (file("{\"__metadata__\":null}", data: 0), "'__metadata__' must be an object of strings, found null"),
        (file("{\"a\":[\"F16\",[1],[0,2]]}", data: 2), "tensor 'a': expected an object with dtype, shape and data_offsets, found an array"),
        (file("{\"a\":{\"dtype\":\"F16\",\"dtype\":\"F16\"}}", data: 2), "header, byte 28 of the file: the key 'dtype' appears twice in one object"),
        (file(header(record("a", "[1]", 0, 2), record("a", "[1]", 0, 2)), data: 2), "header, byte 62 of the file: the key 'a' appears twice in one object"),
        (file(header(record("a", "[1]", 0, 2), record("a", "[1]", 2, 4)), data: 4), "header, byte 62 of the file: the key 'a' appears twice in one object"),
        (file("{\"a\":{\"dtype\":\"F16\",\"shape\":[1]}}", data: 2), "tensor 'a': data_offsets missing"),
        (file("{\"a\":{}}", data: 2), "tensor 'a': dtype, shape, data_offsets missing"),
        (file("{\"a\":{\"dtype\":\"F16\",\"shape\":[1],\"data_offsets\":[0,2],\"x\":1}}", data: 2),
         "tensor 'a': unknown field 'x'; only dtype, shape and data_offsets are allowed"),
        (file(header(record("a", "f16", "[1]", 0, 2)), data: 2), "tensor 'a': dtype is the string 'f16', which is no safetensors type"),
        (file(header(record("a", "F16", "1", 0, 2)), data: 2), "tensor 'a': shape must be an array of unsigned integers, found 1"),
        (file(header(record("a", "[1,1,1,1,1,1,1,1,1]", 0, 2)), data: 2), "tensor 'a': the shape has 9 dimensions, at most 8 are supported"),
        (file("{\"a\":{\"dtype\":\"F16\",\"shape\":[1],\"data_offsets\":[0]}}", data: 2), "tensor 'a': data_offsets must be two unsigned integers, found [0]"),
        (file("{\"a\":{\"dtype\":\"F16\",\"shape\":[1],\"data_offsets\":[0,2,2]}}", data: 2), "tensor 'a': data_offsets must be two unsigned integers, found [0,2,2]"),
        (file("{\"a\":{\"dtype\":\"F16\",\"shape\":[1],\"data_offsets\":[0,2.0]}}", data: 2), "tensor 'a': data_offsets must be two unsigned integers, found [0,2.0]"),
        (file(header(record("a", "[1]", -2, 0)), data: 2), "tensor 'a': data_offsets must be two unsigned integers, found [-2,0]"),
        (file(header(record("a", "[1]", 2, 0)), data: 2), "tensor 'a': data_offsets run backwards: 2 to 0"),
        (file(header(record("a", "[2]", 0, 2)), data: 2), "tensor 'a': data_offsets span 2 bytes, but shape [2] of F16 needs 4"),
        (file(header(record("a", "F4", "[3]", 0, 1)), data: 1), "tensor 'a': shape [3] of F4 is no whole number of bytes"),
        (file(header(record("a", "[1152921504606846976]", 0, 0)), data: 0), "tensor 'a': shape [1152921504606846976] of F16 has more bits than 64 bits can count"),
        (file(header(record("a", "[4611686018427387904,4,0]", 0, 0)), data: 0), "tensor 'a': shape [4611686018427387904, 4, 0] of F16 has more bits than 64 bits can count"),
        (file(header(record("a", "[9223372036854775808,9223372036854775808,0]", 0, 0)), data: 0),
         "tensor 'a': shape must hold integers from 0 to 2^63 - 1, found 9223372036854775808"),
        (file("{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[18446744073709551614,18446744073709551615]}}", data: 1),
         "tensor 'a': data_offsets end at 18446744073709551615, behind every possible file"),
        (file(header(record("a", "[1]", 2, 4)), data: 4), "tensor 'a': starts at byte 64, which leaves a gap: the data before it ends at 62"),
        (file(header(record("a", "[1]", 0, 2), record("b", "[1]", 4, 6)), data: 6), "tensor 'b': starts at byte 119, which leaves a gap: the data before it ends at 117"),
        (file(header(record("a", "[2]", 0, 4), record("b", "[2]", 2, 6)), data: 6), "tensor 'b': starts at byte 117, inside the tensor 'a', which ends at 119"),
        (file(header(record("a", "[1]", 0, 2), record("b", "[1]", 0, 2)), data: 2), "tensor 'b': starts at byte 115, inside the tensor 'a', which ends at 117"),
        (file(header(record("a", "[2]", 0, 4), record("b", "[0]", 2, 2)), data: 4), "tensor 'b': starts at byte 117, inside the tensor 'a', which ends at 119"),
        (file(header(record("a", "[2]", 0, 4)), data: 3), "truncated: the header describes 66 bytes, the file has 65; download it again"),
        (file(header(record("a", "[2]", 0, 4)), data: 5), "the header describes 66 bytes, the file has 67: the last 1 belong to no tensor; download it again"),
        (file("{}", data: 1), "the header describes 10 bytes, the file has 11: the last 1 belong to no tensor; download it again"),
    ] as [([UInt8], String)])
    func refuses(bytes: [UInt8], message: String) { #expect(error(bytes) == "m.safetensors: " + message) }

    @Test(arguments: ["-1", "-0", "1.0", "1e0", "\"1\"", "01", "18446744073709551616", "18446744073709551615", "null", "true", "[1]"])
    func refusesDimension(text: String) { #expect(error(file(header(record("a", "[\(text)]", 0, 2)), data: 2)) != nil) }

    @Test func refusesTooManyTensors() {
        let header = "{" + (0...SafetensorsHeader.mostTensors).map { "\"\($0)\":0" }.joined(separator: ",") + "}"
        #expect(error(file(header, data: 0)) == "m.safetensors: the header names 1000001 tensors, at most 1000000 are allowed")
    }

    @Test func refusesAShortPrefix() {
        let bytes = file("{}", data: 0)
        #expect(throws: SafetensorsError.self) { try SafetensorsHeader(prefix: Array(bytes.dropLast()), fileSize: 10, file: "m") }
    }

    /// Whatever a byte is changed to, the answer is an error or ranges that cover the file's data exactly once.
    @Test func everyChangeOfAByteIsRefusedOrHarmless() throws {
        let bytes = file(
            "{\"__metadata__\":{\"format\":\"pt\"}," + record("norm", "F32", "[2]", 0, 8) + "," + record("q.weight", "[2,3]", 8, 20) + ","
                + record("e", "BF16", "[0]", 20, 20) + "}  ", data: 20)
        #expect(bytes.count < 400)
        #expect(error(bytes) == nil)
        var accepted = 0
        for position in bytes.indices {
            for change in 1...UInt8.max {
                var changed = bytes
                changed[position] = bytes[position] ^ change
                guard let header = try? read(changed) else { continue }
                accepted += 1
                var end = header.tensors.first?.byteOffset ?? UInt64(bytes.count)
                for tensor in header.tensors {
                    #expect(tensor.byteOffset == end)
                    #expect(UInt64(tensor.shape.reduce(1, *)) * tensor.type.bits == tensor.byteCount * 8)
                    end += tensor.byteCount
                }
                #expect(end == UInt64(bytes.count))
            }
        }
        // The 20 data bytes may be anything; a few letters of names and types too.
        #expect(accepted > 20 * 255)
    }

    @Test func everyTruncationIsRefused() {
        let bytes = file("{" + record("a", "[2]", 0, 4) + "," + record("b", "F32", "[1]", 4, 8) + "}  ", data: 8)
        for length in 0..<bytes.count { #expect(error(Array(bytes[..<length])) != nil, "\(length) bytes") }
        #expect(error(bytes + [0]) != nil)
    }
}
