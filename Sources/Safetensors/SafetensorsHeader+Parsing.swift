import StrictJSON

extension SafetensorsHeader {
    /// The header's text as tensors sorted by position. Sizes and ranges are checked one by one here, their union later.
    static func parse(
        _ text: ArraySlice<UInt8>, dataStart: UInt64, file: String
    ) throws(SafetensorsError) -> (tensors: [Tensor], metadata: JSONObject) {
        let root = try object(text, file: file)
        guard root.count <= mostTensors else {
            throw SafetensorsError(file: file, "the header names \(root.count) tensors, at most \(mostTensors) are allowed")
        }
        var tensors: [Tensor] = []
        tensors.reserveCapacity(root.count)
        var metadata = JSONObject()
        for member in root.members {
            if member.key == "__metadata__" {
                metadata = try self.metadata(member.value, file: file)
            } else {
                tensors.append(try tensor(member.key, member.value, dataStart: dataStart, file: file))
            }
        }
        // A tensor without elements comes before the one that starts at the same byte. The name makes the order total.
        tensors.sort { ($0.byteOffset, $0.byteCount, $0.name) < ($1.byteOffset, $1.byteCount, $1.name) }
        return (tensors, metadata)
    }

    private static func object(_ text: ArraySlice<UInt8>, file: String) throws(SafetensorsError) -> JSONObject {
        // Writers pad the header with spaces; no other white space may follow it.
        var text = text
        while text.last == UInt8(ascii: " ") { text.removeLast() }
        let root: JSONValue
        do throws(JSONError) {
            // A valid header is three levels deep.
            let limits = JSONReader.Limits(depth: 8, allowsOuterWhitespace: false)
            root = try text.withUnsafeBufferPointer { buffer throws(JSONError) in try JSONReader.read(buffer, limits: limits) }
        } catch {
            throw SafetensorsError(file: file, "header, byte \(prefixBytes + UInt64(error.offset)) of the file: \(error.message)")
        }
        guard case .object(let members) = root else { throw SafetensorsError(file: file, "the header is no JSON object") }
        return members
    }

    private static func metadata(_ value: JSONValue, file: String) throws(SafetensorsError) -> JSONObject {
        guard case .object(let members) = value else {
            throw SafetensorsError(file: file, "'__metadata__' must be an object of strings, found \(value.summary)")
        }
        for member in members.members where member.value.jsonString == nil {
            throw SafetensorsError(file: file, "'__metadata__': \(member.key.quoted) must be a string, found \(member.value.summary)")
        }
        return members
    }

    private static func tensor(
        _ name: JSONString, _ value: JSONValue, dataStart: UInt64, file: String
    ) throws(SafetensorsError) -> Tensor {
        func fail(_ problem: String) -> SafetensorsError { SafetensorsError(file: file, tensor: name, problem) }
        guard case .object(let info) = value else {
            throw fail("expected an object with dtype, shape and data_offsets, found \(value.summary)")
        }
        for key in info.keys where key != "dtype" && key != "shape" && key != "data_offsets" {
            throw fail("unknown field \(key.quoted); only dtype, shape and data_offsets are allowed")
        }
        guard let dtype = info["dtype"], let dimensions = info["shape"], let offsets = info["data_offsets"] else {
            let missing = ["dtype", "shape", "data_offsets"].filter { info[$0] == nil }
            throw fail("\(missing.joined(separator: ", ")) missing")
        }
        guard let typeName = dtype.jsonString, let type = ElementType(typeName) else {
            throw fail("dtype is \(dtype.summary), which is no safetensors type")
        }
        let shape = try self.shape(dimensions, fail)
        guard let pair = offsets.array, pair.count == 2, let begin = pair[0].uint64, let end = pair[1].uint64 else {
            throw fail("data_offsets must be two unsigned integers, found \(offsets.text().prefix(80))")
        }
        guard begin <= end else { throw fail("data_offsets run backwards: \(begin) to \(end)") }

        let needed = try byteCount(shape, type, fail)
        guard end - begin == needed else {
            throw fail("data_offsets span \(end - begin) bytes, but shape \(shape) of \(type.rawValue) needs \(needed)")
        }
        // The end is checked too, so that begin + size cannot wrap later on.
        guard !end.addingReportingOverflow(dataStart).overflow else { throw fail("data_offsets end at \(end), behind every possible file") }
        return Tensor(name: name, type: type, shape: shape, byteOffset: dataStart + begin, byteCount: needed)
    }

    private static func shape(_ value: JSONValue, _ fail: (String) -> SafetensorsError) throws(SafetensorsError) -> [Int] {
        guard let dimensions = value.array else { throw fail("shape must be an array of unsigned integers, found \(value.summary)") }
        guard dimensions.count <= highestRank else {
            throw fail("the shape has \(dimensions.count) dimensions, at most \(highestRank) are supported")
        }
        var shape: [Int] = []
        for dimension in dimensions {
            guard let size = dimension.int, size >= 0 else {
                throw fail("shape must hold integers from 0 to 2^63 - 1, found \(dimension.summary)")
            }
            shape.append(size)
        }
        return shape
    }

    private static func byteCount(
        _ shape: [Int], _ type: ElementType, _ fail: (String) -> SafetensorsError
    ) throws(SafetensorsError) -> UInt64 {
        var bits: UInt64 = 1
        for factor in shape.map({ UInt64($0) }) + [type.bits] {
            let (product, overflow) = bits.multipliedReportingOverflow(by: factor)
            guard !overflow else { throw fail("shape \(shape) of \(type.rawValue) has more bits than 64 bits can count") }
            bits = product
        }
        guard bits % 8 == 0 else { throw fail("shape \(shape) of \(type.rawValue) is no whole number of bytes") }
        return bits / 8
    }
}
