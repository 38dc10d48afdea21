package import ByteStorage
package import LayerwiseInference
package import ModelFiles

/// Keeps finished windows of a long evaluation, so that an interrupted one goes on. Bound to models, arithmetic and text by a key; written
/// atomically. The file is this program's own and lives as long as the job; it holds figures, no text.
///
/// Bytes, little-endian: `89 51 45 56 50 0D 0A 1A`; u32 version 1; u32 windows; u32 predictions per window; u32 variants; u32 1 with a
/// reference, else 0; u32 zero; 32 bytes key; per window f64 log loss of the reference [predictions], then per variant f64 log loss
/// [predictions], and with a reference f64 divergence [predictions] and u8 same top [predictions]; 32 bytes SHA-256 of all before.
package struct EvaluationProgressFile: Sendable {
    package let path: String
    package let key: Digest32
    private let predictions: Int
    private let variants: Int
    private let hasReference: Bool

    private static let magic: [UInt8] = [0x89, 0x51, 0x45, 0x56, 0x50, 0x0D, 0x0A, 0x1A]
    private static let headerBytes = 64
    private static let largestFile: UInt64 = 8 << 30

    package init(path: String, key: Digest32, evaluation: StreamedEvaluation, text: TextWindows) {
        (self.path, self.key) = (path, key)
        (predictions, variants, hasReference) = (text.scored.count, evaluation.variants.count, evaluation.reference != nil)
    }

    /// Changes with everything that the figures depend on.
    package static func key(_ evaluation: StreamedEvaluation, _ text: TextWindows, version: String) -> Digest32 {
        var digest = StreamingDigest()
        func add(_ bytes: [UInt8]) { bytes.withUnsafeBytes { digest.update($0) } }
        add(Array(version.utf8) + [0])
        for variant in evaluation.variants + (evaluation.reference.map { [$0] } ?? []) {
            add(variant.model.identity.bytes)
            add(Array("\(variant.arithmetic)".utf8) + [0])
        }
        add([evaluation.reference == nil ? 0 : 1])
        for window in text.windows { window.withUnsafeBytes { digest.update($0) } }
        return digest.finalize()
    }

    private var windowBytes: Int {
        8 * predictions * (hasReference ? 1 : 0) + variants * predictions * (hasReference ? 17 : 8)
    }

    /// What an earlier run finished; nil when there is no file.
    package func load() throws -> [WindowFigures]? {
        guard Folders.kind(of: path) != .missing else { return nil }
        func fail(_ text: String) -> LayerwiseError {
            LayerwiseError(path: path, "\(text); remove it to begin anew, or name another with --resume")
        }
        let bytes = try ReadableFile(path: path).readAll(limit: Self.largestFile)
        guard bytes.starts(with: Self.magic) else { throw fail("this is no file of eval's progress") }
        return try bytes.withUnsafeBytes { raw in
            func field(_ offset: Int) -> Int { Int(UInt32(littleEndian: raw.loadUnaligned(fromByteOffset: offset, as: UInt32.self))) }
            guard raw.count >= Self.headerBytes + 32, Digest32.of(UnsafeRawBufferPointer(rebasing: raw.dropLast(32))) == Digest32(raw.suffix(32)) else {
                throw fail("the progress of eval in this file is damaged")
            }
            guard field(8) == 1, Digest32(raw[32..<64]) == key else {
                throw fail("this is the progress of another evaluation: model, reference, text or options differ")
            }
            let windows = field(12)
            guard (field(16), field(20), field(24)) == (predictions, variants, hasReference ? 1 : 0), raw.count == Self.headerBytes + windows * windowBytes + 32 else {
                throw fail("the progress of eval in this file breaks its format")
            }
            var at = Self.headerBytes
            func doubles() -> [Double] {
                defer { at += 8 * predictions }
                return (0..<predictions).map { Double(bitPattern: UInt64(littleEndian: raw.loadUnaligned(fromByteOffset: at + 8 * $0, as: UInt64.self))) }
            }
            return (0..<windows).map { _ in
                var figures = WindowFigures(variants: variants)
                if hasReference { figures.referenceLogLoss = doubles() }
                for index in 0..<variants {
                    figures.variants[index].logLoss = doubles()
                    guard hasReference else { continue }
                    figures.variants[index].divergence = doubles()
                    figures.variants[index].isSameTop = raw[at..<at + predictions].map { $0 != 0 }
                    at += predictions
                }
                return figures
            }
        }
    }

    package func save(_ windows: [WindowFigures]) throws(FileError) {
        var bytes = Self.magic
        for field in [1, windows.count, predictions, variants, hasReference ? 1 : 0, 0] as [Int] { bytes.append(UInt32(field)) }
        bytes += key.bytes
        func append(_ values: [Double]) { for value in values { bytes.append(value.bitPattern) } }
        for window in windows {
            append(window.referenceLogLoss)
            for variant in window.variants {
                append(variant.logLoss)
                append(variant.divergence)
                bytes += variant.isSameTop.map { $0 ? 1 : 0 }
            }
        }
        bytes += Digest32.of(bytes).bytes
        try AtomicFileWriter.write(bytes, to: path)
    }

    /// The job is done.
    package func remove() { Folders.removeFile(path) }
}

extension [UInt8] {
    fileprivate mutating func append<T: FixedWidthInteger>(_ value: T) { Swift.withUnsafeBytes(of: value.littleEndian) { append(contentsOf: $0) } }
}
