import ByteStorage
import Synchronization
package import Tensors

/// Writes a `.quern` file: tensors in any order, then directory, metadata, tokenizer and header. The file appears under
/// its name only when it is whole; a writer that goes without `finish` removes its temporary file.
///
/// *Threads*: `writeTensorBytes` and `setDigest` may be called from several threads.
package final class ModelFileWriter: Sendable {
    package let path: String
    /// Where each tensor lies.
    package let plannedTensors: [TensorRecord]
    package let plannedDataEnd: UInt64
    private let file: AtomicFileWriter
    private let state: Mutex<State>

    private struct State {
        var tensors: [TensorRecord]
        var hasDigest: [Bool]
        var isOver = false
    }

    /// Reserves disk for the data, the directory and `extraReserve` bytes (metadata and tokenizer, compressed).
    package init(path: String, plan planned: [PlannedTensor], extraReserve: UInt64) throws(ModelFileError) {
        let plan = try ModelFilePlan(planned, path: path)
        let (size, overflow) = (plan.dataEnd + plan.directoryBytes + 4 * ModelFileHeader.sectionAlignment).addingReportingOverflow(extraReserve)
        precondition(!overflow && size < 1 << 63, "extraReserve is \(extraReserve)")
        self.path = path
        plannedTensors = plan.tensors
        plannedDataEnd = plan.dataEnd
        state = Mutex(State(tensors: plan.tensors, hasDigest: plan.tensors.map { _ in false }))
        do throws(FileError) { file = try AtomicFileWriter(path: path, reserve: size, isMapped: true) } catch { throw ModelFileError(error) }
    }

    deinit { discard() }

    /// *Threads*: ranges of concurrent calls must not overlap.
    package func writeTensorBytes(index: Int, offsetInTensor: UInt64, bytes: UnsafeRawBufferPointer) throws(ModelFileError) {
        let tensor = plannedTensors[index]
        precondition(
            offsetInTensor <= tensor.bytes && UInt64(bytes.count) <= tensor.bytes - offsetInTensor,
            "\(bytes.count) bytes at \(offsetInTensor) do not fit into tensor '\(tensor.name)' of \(tensor.bytes)")
        try write(bytes, at: tensor.offset + offsetInTensor)
    }

    /// Lets the kernel write the tensor's bytes to disk in the background.
    package func startWriteback(index: Int) {
        file.startWriteback(offset: plannedTensors[index].offset, count: plannedTensors[index].bytes)
    }

    /// Call once per tensor, with the digest of all its bytes.
    package func setDigest(index: Int, sha256: Digest32, errors: ErrorSums) {
        let sums = [errors.signal, errors.noise, errors.stored, errors.largest, errors.worstRowRatio]
        precondition(
            sums.allSatisfy { $0.isFinite && $0 >= 0 } && errors.product.isFinite && (0..<plannedTensors[index].rows).contains(errors.worstRow),
            "tensor '\(plannedTensors[index].name)' has error sums unfit for a directory: \(errors)")
        state.withLock { state in
            precondition(!state.hasDigest[index], "tensor '\(plannedTensors[index].name)' got a second digest")
            state.tensors[index].sha256 = sha256
            state.tensors[index].errors = errors
            state.hasDigest[index] = true
        }
    }

    /// Writes the rest and gives the file its name. Every tensor must have its digest. Returns the file's size.
    /// When this throws, nothing is left.
    @discardableResult
    package func finish(metadata: ModelMetadata, tokenizer: TokenizerArchive) throws(ModelFileError) -> UInt64 {
        let tensors = state.withLock { state in
            precondition(!state.isOver, "the file is finished or discarded already")
            if let index = state.hasDigest.firstIndex(of: false) {
                preconditionFailure("tensor '\(state.tensors[index].name)' has no digest")
            }
            return state.tensors
        }
        do throws(ModelFileError) {
            let size = try writeSections(TensorDirectory(tensors: tensors), metadata.encoded(), tokenizer.packed())
            do throws(FileError) { try file.finish(size: size) } catch { throw ModelFileError(error) }
            state.withLock { $0.isOver = true }
            return size
        } catch {
            discard()
            throw error
        }
    }

    /// Removes what was written; a file that had the name before stays as it was.
    package func discard() {
        state.withLock { state in
            if !state.isOver { file.discard() }
            state.isOver = true
        }
    }

    private func writeSections(_ directory: TensorDirectory, _ metadata: [UInt8], _ archive: TokenizerArchive) throws(ModelFileError) -> UInt64 {
        let tokenizer = archive.encoded()
        let start = UInt64(ModelFileHeader.byteCount)
        let length = plannedDataEnd - start
        var sections = [
            ModelFileHeader.Section(kind: .data, offset: start, storedBytes: length, contentBytes: length, sha256: directory.dataDigest)
        ]
        let list = directory.encoded()
        let contents: [(ModelFileHeader.SectionKind, [UInt8], stored: [UInt8])] = [
            (.directory, list, list), (.metadata, metadata, ZstdFrame.compress(metadata)), (.tokenizer, tokenizer, ZstdFrame.compress(tokenizer)),
        ]
        for (kind, content, stored) in contents {
            guard UInt64(max(content.count, stored.count)) <= kind.limit else {
                throw ModelFileError(.tooLarge, path: path, "the \(kind) section would have \(content.count) bytes, expected at most \(kind.limit)")
            }
            let offset = sections[sections.count - 1].end.alignedUp(to: ModelFileHeader.sectionAlignment)!
            try write(stored, at: offset)
            sections.append(
                ModelFileHeader.Section(
                    kind: kind, offset: offset, storedBytes: UInt64(stored.count), contentBytes: UInt64(content.count), sha256: Digest32.of(stored)))
        }
        let header = ModelFileHeader(sections: sections, isByteLevel: archive.isByteLevel)
        try write(header.encoded(), at: 0)
        return header.fileBytes
    }

    private func write(_ bytes: [UInt8], at offset: UInt64) throws(ModelFileError) {
        try bytes.withUnsafeBufferPointer { (buffer) throws(ModelFileError) in try write(UnsafeRawBufferPointer(buffer), at: offset) }
    }

    private func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(ModelFileError) {
        do throws(FileError) { try file.write(bytes, at: offset) } catch { throw ModelFileError(error) }
    }
}
