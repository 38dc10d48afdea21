import ByteStorage
package import CalibrationFiles
package import ModelFiles

/// Where a calibration stands between two layers: which layer comes next, the residual stream of all windows, and the digests of the entries
/// that the unfinished output holds. This program's own file, beside the output while the job lasts; it holds activations, no text.
///
/// Bytes, little-endian: `89 51 43 53 54 0D 0A 1A`; u32 version 1; u32 next layer; 32 bytes key; u32 entries; u32 zero; u64 bytes of the residual
/// stream; per entry u32 index, u32 zero, u64 tokens, 32 bytes SHA-256; the residual stream; 32 bytes SHA-256 of all before.
package struct CalibrationState {
    package let path: String
    package let key: Digest32

    private static let magic: [UInt8] = [0x89, 0x51, 0x43, 0x53, 0x54, 0x0D, 0x0A, 0x1A]
    private static let headerBytes = 64, entryBytes = 48
    private static let mostEntries = 65536

    package init(output: String, key: Digest32) {
        let (folder, name) = AtomicFileWriter.split(output)
        path = "\(folder)/.\(name).quern-state"
        self.key = key
    }

    package func save(nextLayer: Int, entries: [CalibrationFileWriter.Written], states: UnsafeRawBufferPointer) throws {
        var head = Self.magic
        func append<T: FixedWidthInteger>(_ value: T) { withUnsafeBytes(of: value.littleEndian) { head.append(contentsOf: $0) } }
        append(UInt32(1))
        append(UInt32(nextLayer))
        head += key.bytes
        append(UInt32(entries.count))
        append(UInt32(0))
        append(UInt64(states.count))
        for entry in entries {
            append(UInt32(entry.index))
            append(UInt32(0))
            append(entry.tokens)
            head += entry.sha256.bytes
        }
        var digest = StreamingDigest()
        head.withUnsafeBytes { digest.update($0) }
        digest.update(states)
        let writer = try AtomicFileWriter(path: path, reserve: UInt64(head.count + states.count + 32))
        do {
            try head.withUnsafeBytes { try writer.write($0, at: 0) }
            try writer.write(states, at: UInt64(head.count))
            try digest.finalize().bytes.withUnsafeBytes { try writer.write($0, at: UInt64(head.count + states.count)) }
        } catch {
            writer.discard()
            throw error
        }
        try writer.finish(size: UInt64(head.count + states.count + 32))
    }

    /// What an earlier run of the same job left, with the residual stream in `states`; nil where there is none, or one of another job or that is
    /// damaged, which is as good as none.
    package func load(into states: UnsafeMutableRawBufferPointer) throws -> (nextLayer: Int, entries: [CalibrationFileWriter.Written])? {
        guard Folders.kind(of: path) == .file else { return nil }
        let file = try ReadableFile(path: path)
        guard file.size >= UInt64(Self.headerBytes + states.count + 32) else { return nil }
        let rest = Int(file.size) - states.count - 32
        guard rest <= Self.headerBytes + Self.mostEntries * Self.entryBytes else { return nil }
        var head = [UInt8](repeating: 0, count: rest), tail = [UInt8](repeating: 0, count: 32)
        try head.withUnsafeMutableBytes { try file.read(into: $0, at: 0) }
        return try head.withUnsafeBytes { raw in
            func u32(_ offset: Int) -> Int { Int(UInt32(littleEndian: raw.loadUnaligned(fromByteOffset: offset, as: UInt32.self))) }
            func u64(_ offset: Int) -> UInt64 { UInt64(littleEndian: raw.loadUnaligned(fromByteOffset: offset, as: UInt64.self)) }
            guard raw.starts(with: Self.magic), u32(8) == 1, Digest32(raw[16..<48]) == key, u64(56) == UInt64(states.count) else { return nil }
            let count = u32(48)
            guard rest == Self.headerBytes + count * Self.entryBytes else { return nil }
            try file.read(into: states, at: UInt64(rest))
            try tail.withUnsafeMutableBytes { try file.read(into: $0, at: UInt64(rest + states.count)) }
            var digest = StreamingDigest()
            digest.update(raw)
            digest.update(UnsafeRawBufferPointer(states))
            guard digest.finalize().bytes == tail else { return nil }
            let entries = (0..<count).map { index in
                let at = Self.headerBytes + index * Self.entryBytes
                return CalibrationFileWriter.Written(index: u32(at), tokens: u64(at + 8), sha256: Digest32(raw[at + 16..<at + 48]))
            }
            return (u32(12), entries)
        }
    }

    package func remove() { Folders.removeFile(path) }
}
