import StrictJSON
package import Tensors

/// A tensor that a file will hold, before its bytes exist.
package struct PlannedTensor: Sendable, Equatable {
    package var name: String
    package var type: StorageType
    package var rank: Int
    package var rows: Int
    package var columns: Int
    package var sourceType: SourceType
    package var grids: [UInt8]

    package init(name: String, type: StorageType, rank: Int, rows: Int, columns: Int, sourceType: SourceType, grids: [UInt8] = []) {
        self.name = name
        self.type = type
        self.rank = rank
        self.rows = rows
        self.columns = columns
        self.sourceType = sourceType
        self.grids = grids
    }
}

/// Where every tensor of a file will lie. Known before any byte is written, so tensors can be written in any order.
package struct ModelFilePlan: Sendable, Equatable {
    /// Offsets and byte counts are final; digests are zero and error sums empty.
    package let tensors: [TensorRecord]
    /// End of the data section, which is the end of the last tensor.
    package let dataEnd: UInt64
    package let directoryBytes: UInt64

    /// Names, dimensions and count come from a checkpoint, so breaking the format's limits throws.
    package init(_ planned: [PlannedTensor], path: String) throws(ModelFileError) {
        guard (1...TensorDirectory.largestCount).contains(planned.count) else {
            throw Self.tooLarge(path, nil, "\(planned.count) tensors, expected 1 ... \(TensorDirectory.largestCount)")
        }
        var records: [TensorRecord] = []
        records.reserveCapacity(planned.count)
        var seen: Set<[UInt8]> = []
        var end = UInt64(ModelFileHeader.byteCount)
        var nameBytes = 0
        for tensor in planned {
            let name = Array(tensor.name.utf8)
            if let problem = TensorRecord.problem(ofName: name) { throw Self.tooLarge(path, tensor.name, problem) }
            guard seen.insert(name).inserted else { throw Self.tooLarge(path, tensor.name, "the name occurs twice") }
            precondition(
                tensor.rank == 2 || tensor.rank == 1 && tensor.columns == 1, "tensor '\(tensor.name)' has rank \(tensor.rank), expected 1 or 2")
            precondition(
                tensor.grids.count == (tensor.type.traits.usesGrids ? TensorRecord.gridBytes : 0)
                    && tensor.grids.allSatisfy(tensor.type.traits.gridBytes.contains), "tensor '\(tensor.name)' has grids unfit for \(tensor.type)")
            guard let layout = PanelLayout(type: tensor.type, rows: tensor.rows, columns: tensor.columns) else {
                throw Self.tooLarge(
                    path, tensor.name, "dimensions are \(tensor.rows) x \(tensor.columns), expected each 1 ... 2^31 and the product at most 2^40")
            }
            let (next, overflow) = (end.alignedUp(to: TensorRecord.alignment) ?? .max).addingReportingOverflow(UInt64(layout.byteCount))
            guard !overflow, next < 1 << 62 else { throw Self.tooLarge(path, tensor.name, "the file would pass 2^62 bytes") }
            records.append(
                TensorRecord(
                    name: tensor.name, type: tensor.type, rank: tensor.rank, rows: tensor.rows, columns: tensor.columns,
                    sourceType: tensor.sourceType, offset: next - UInt64(layout.byteCount), bytes: UInt64(layout.byteCount),
                    sha256: Digest32([UInt8](repeating: 0, count: 32)), errors: ErrorSums(), grids: tensor.grids))
            end = next
            nameBytes += name.count
        }
        tensors = records
        dataEnd = end
        directoryBytes = Self.directoryBytes(tensors: records.count, nameBytes: nameBytes)
    }

    package static func directoryBytes(tensors: Int, nameBytes: Int) -> UInt64 {
        UInt64(TensorDirectory.headBytes + TensorDirectory.recordBytes * tensors + nameBytes)
    }

    private static func tooLarge(_ path: String, _ tensor: String?, _ what: String) -> ModelFileError {
        ModelFileError(
            .tooLarge, path: path, tensor: tensor, "cannot hold this model: " + (tensor.map { "tensor \(JSONString.quoted($0)): " } ?? "") + what)
    }
}
