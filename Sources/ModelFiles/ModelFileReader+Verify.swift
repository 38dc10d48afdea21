import ByteStorage
import StrictJSON
import Synchronization
import Tensors

extension ModelFileReader {
    /// Reads every tensor and checks its digest, its finite values and the zero bytes behind it. Throws one error that
    /// names all tensors that are wrong. `progress` gets the bytes done and the bytes in all, from one thread at a time.
    ///
    /// *Threads*: at most 12, each with a buffer of 4 MiB; a tensor is read by one thread, because its digest is one chain.
    package func verify(
        threads: Int, progress: @escaping @Sendable (_ done: UInt64, _ total: UInt64) -> Void = { _, _ in }
    ) throws(ModelFileError) {
        for file in tokenizer.files where file.isCompressed {
            do throws(ZstdFrame.Failure) { _ = try file.contents() } catch {
                throw ModelFileError(.invalid, path: path, "tokenizer: file '\(file.name)': \(error); \(Cure.convertAgain)")
            }
        }
        let verification = Verification(file: file, tensors: tensors, progress: progress)
        Threads.run(min(max(1, threads), tensors.count, 12)) { verification.work() }
        try verification.check(path: path)
    }
}

/// The queue and the findings that the verifying threads share.
private final class Verification: Sendable {
    private struct State {
        var taken = 0
        var done: UInt64 = 0
        var findings: [Int: Finding] = [:]
        var failure: FileError?
    }

    private struct Finding {
        var code: ModelFileError.Code
        var byteOffset: UInt64?
        var text: String
    }

    private static let chunkBytes = 4 << 20

    private let file: ReadableFile
    private let tensors: [TensorRecord]
    private let progress: @Sendable (UInt64, UInt64) -> Void
    private let total: UInt64
    /// Large tensors first, so that no thread begins one when the others are done.
    private let order: [Int]
    private let state = Mutex(State())

    init(file: ReadableFile, tensors: [TensorRecord], progress: @escaping @Sendable (UInt64, UInt64) -> Void) {
        self.file = file
        self.tensors = tensors
        self.progress = progress
        total = tensors.reduce(0) { $0 + $1.bytes }
        order = tensors.indices.sorted { (tensors[$1].bytes, $0) < (tensors[$0].bytes, $1) }
    }

    func work() {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.chunkBytes, alignment: 4096)
        defer { buffer.deallocate() }
        while let index = next() {
            do throws(FileError) {
                guard let finding = try examine(index, buffer) else { continue }
                state.withLock { $0.findings[index] = finding }
            } catch {
                state.withLock { $0.failure = error }
            }
        }
    }

    private func next() -> Int? {
        state.withLock { state in
            guard state.failure == nil, state.taken < order.count else { return nil }
            state.taken += 1
            return order[state.taken - 1]
        }
    }

    private func examine(_ index: Int, _ buffer: UnsafeMutableRawBufferPointer) throws(FileError) -> Finding? {
        let tensor = tensors[index]
        let values = FiniteValues(layout: tensor.layout)
        var digest = StreamingDigest()
        var notFinite: String?
        var position: UInt64 = 0
        while position < tensor.bytes {
            let count = min(UInt64(buffer.count), tensor.bytes - position)
            let part = UnsafeMutableRawBufferPointer(rebasing: buffer[..<Int(count)])
            try file.read(into: part, at: tensor.offset + position)
            // The disk works while this thread computes.
            file.willNeed(offset: tensor.offset + position + count, count: UInt64(buffer.count))
            let bytes = UnsafeRawBufferPointer(part)
            digest.update(bytes)
            if notFinite == nil { notFinite = values.problem(in: bytes, at: Int(position)) }
            position += count
            report(count)
        }
        guard digest.finalize() == tensor.sha256 else {
            return Finding(code: .damaged, byteOffset: tensor.offset, text: "its \(tensor.bytes) bytes do not have the stored SHA-256")
        }
        if let notFinite { return Finding(code: .invalid, byteOffset: tensor.offset, text: notFinite) }
        return try examinePadding(after: index, buffer)
    }

    private func examinePadding(after index: Int, _ buffer: UnsafeMutableRawBufferPointer) throws(FileError) -> Finding? {
        guard index + 1 < tensors.count else { return nil }
        let start = tensors[index].end
        // Below 4096 bytes, as opening has checked.
        let padding = UnsafeMutableRawBufferPointer(rebasing: buffer[..<Int(tensors[index + 1].offset - start)])
        try file.read(into: padding, at: start)
        guard let first = padding.firstIndex(where: { $0 != 0 }) else { return nil }
        let offset = start + UInt64(first)
        return Finding(code: .damaged, byteOffset: offset, text: "byte \(offset), behind its end, is \(padding[first]), expected 0")
    }

    private func report(_ count: UInt64) {
        state.withLock { state in
            state.done += count
            progress(state.done, total)
        }
    }

    func check(path: String) throws(ModelFileError) {
        let (failure, findings) = state.withLock { ($0.failure, $0.findings) }
        if let failure { throw ModelFileError(failure) }
        guard !findings.isEmpty else { return }
        let indices = findings.keys.sorted()
        let lines = indices.map { "tensor \(JSONString.quoted(tensors[$0].name)): \(findings[$0]!.text)" }
        let isDamaged = findings.values.contains { $0.code == .damaged }
        let first = findings[indices[0]]!
        let cure = isDamaged ? Cure.copyAgain : Cure.convertAgain
        var error = ModelFileError(
            isDamaged ? .damaged : .invalid, path: path, tensor: tensors[indices[0]].name, byteOffset: first.byteOffset,
            lines.count == 1
                ? "\(lines[0]); \(cure)"
                : "\(lines.count) of \(tensors.count) tensors are wrong:\n  \(lines.joined(separator: "\n  "))\n\(cure)")
        error.damagedTensors = indices.map { tensors[$0].name }
        throw error
    }
}
