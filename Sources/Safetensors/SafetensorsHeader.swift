package import StrictJSON

/// What the header of one safetensors file says, completely checked against the file's size: the tensors' ranges lie
/// in the file, do not overlap and leave no gap.
package struct SafetensorsHeader: Sendable {
    package struct Tensor: Sendable, Equatable {
        package let name: JSONString
        package let type: ElementType
        package let shape: [Int]
        /// Position in the file.
        package let byteOffset: UInt64
        package let byteCount: UInt64
    }

    /// Sorted by position. A position may be unaligned; tensors without elements may share one.
    package let tensors: [Tensor]
    /// The free texts under "__metadata__".
    package let metadata: JSONObject
    /// Bytes of the whole file.
    package let fileSize: UInt64

    package static let largestHeader: UInt64 = 100_000_000
    package static let mostTensors = 1_000_000
    package static let highestRank = 8
    /// Bytes before the header text.
    package static let prefixBytes: UInt64 = 8

    /// Bytes of the header text, from the first eight bytes of the file (fewer when the file is shorter).
    package static func textLength(firstBytes: [UInt8], fileSize: UInt64, file: String) throws(SafetensorsError) -> Int {
        guard fileSize >= prefixBytes, firstBytes.count >= 8 else {
            throw SafetensorsError(
                file: file, "a safetensors file starts with 8 bytes that give the length of its header, this one has \(fileSize) bytes; \(again)")
        }
        if firstBytes.starts(with: "version ".utf8) {
            throw SafetensorsError(file: file, "this is a Git LFS pointer, not the weights; fetch them with 'git lfs pull'")
        }
        let length = firstBytes.prefix(8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        guard length <= largestHeader else {
            throw SafetensorsError(
                file: file, "the header length is \(length), at most \(largestHeader) is allowed; this is no safetensors file, or a damaged one")
        }
        guard length <= fileSize - prefixBytes else {
            throw SafetensorsError(
                file: file, "truncated: the header alone ends at byte \(prefixBytes + length), the file has \(fileSize) bytes; \(again)")
        }
        return Int(length)
    }

    /// Checks the header in `prefix`, which holds at least the first eight bytes and the header text.
    ///
    /// *Complexity*: O(n log n) for n tensors; allocates in proportion to `prefix`.
    package init(prefix: [UInt8], fileSize: UInt64, file: String) throws(SafetensorsError) {
        let length = try Self.textLength(firstBytes: Array(prefix.prefix(8)), fileSize: fileSize, file: file)
        let textStart = Int(Self.prefixBytes)
        guard prefix.count - textStart >= length else {
            throw SafetensorsError(file: file, "the header has \(length) bytes, only \(prefix.count - textStart) were read")
        }
        let text = prefix[textStart..<(textStart + length)]
        guard text.first == UInt8(ascii: "{") else {
            throw SafetensorsError(file: file, "the header must start with '{'; this is no safetensors file, or a damaged one")
        }
        let (tensors, metadata) = try Self.parse(text, dataStart: Self.prefixBytes + UInt64(length), file: file)
        try Self.checkCoverage(tensors, dataStart: Self.prefixBytes + UInt64(length), fileSize: fileSize, file: file)
        self.tensors = tensors
        self.metadata = metadata
        self.fileSize = fileSize
    }

    /// Every byte behind the header belongs to exactly one tensor, and no tensor ends behind the file.
    private static func checkCoverage(_ tensors: [Tensor], dataStart: UInt64, fileSize: UInt64, file: String) throws(SafetensorsError) {
        var end = dataStart
        for (position, tensor) in tensors.enumerated() {
            if tensor.byteOffset < end {
                let other = position > 0 ? " \(tensors[position - 1].name.quoted)" : ""
                throw SafetensorsError(
                    file: file, tensor: tensor.name, "starts at byte \(tensor.byteOffset), inside the tensor\(other), which ends at \(end)")
            }
            if tensor.byteOffset > end {
                throw SafetensorsError(
                    file: file, tensor: tensor.name, "starts at byte \(tensor.byteOffset), which leaves a gap: the data before it ends at \(end)")
            }
            end += tensor.byteCount
        }
        if end > fileSize {
            throw SafetensorsError(file: file, "truncated: the header describes \(end) bytes, the file has \(fileSize); \(again)")
        }
        if end < fileSize {
            throw SafetensorsError(
                file: file, "the header describes \(end) bytes, the file has \(fileSize): the last \(fileSize - end) belong to no tensor; \(again)")
        }
    }

    static let again = "download it again"
}
