package import Tensors

/// What the directory of a `.quern` file says about one tensor.
package struct TensorRecord: Sendable, Equatable {
    package var name: String
    package var type: StorageType
    /// 1 or 2; a vector has one column.
    package var rank: Int
    package var rows: Int
    package var columns: Int
    package var sourceType: SourceType
    /// Place in the file, a multiple of 4096.
    package var offset: UInt64
    package var bytes: UInt64
    /// Of the tensor's bytes in the file.
    package var sha256: Digest32
    package var errors: ErrorSums
    /// 64 bytes where the type uses grids; else empty.
    package var grids: [UInt8]

    /// Decoding and planning have checked the dimensions.
    package var layout: PanelLayout {
        guard let layout = PanelLayout(type: type, rows: rows, columns: columns) else {
            preconditionFailure("tensor '\(name)' has dimensions \(rows) x \(columns) outside the limits")
        }
        return layout
    }

    package var end: UInt64 { offset + bytes }

    package static let alignment: UInt64 = 4096
    package static let gridBytes = 64
    static let nameLengths = 1...256

    /// Nil when the name may stand in a directory; else the rule that it breaks.
    static func problem(ofName name: some Collection<UInt8>) -> String? {
        guard nameLengths.contains(name.count) else { return "the name has \(name.count) bytes, expected 1 ... 256" }
        if let byte = name.first(where: { $0 < 0x20 || $0 == 0x7F }) {
            return "the name holds the control byte 0x\(Hexadecimal.text([byte]))"
        }
        return nil
    }
}
