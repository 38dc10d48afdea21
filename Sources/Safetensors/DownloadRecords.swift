import ByteStorage

/// Digests that download tools leave beside a checkpoint. The hub publishes the SHA-256 of every large file as its
/// entity tag, so a shard's digest can be compared without any network.
package struct DownloadRecords: Sendable {
    private let folder: String

    package init(folder: String) { self.folder = folder }

    /// 64 lower-case hex digits, or nil when nothing was recorded. `shard` is a plain file name.
    package func recordedSHA256(of shard: String) -> String? {
        guard !shard.utf8.contains(UInt8(ascii: "/")) else { return nil }
        return fromMetadata(shard) ?? fromBlobName(shard)
    }

    /// Three lines: commit, entity tag, time. The tag of a small file is a 40-digit Git id, which is of no use here.
    private func fromMetadata(_ shard: String) -> String? {
        let path = "\(folder)/.cache/huggingface/download/\(shard).metadata"
        guard let file = try? ReadableFile(path: path), let bytes = try? file.readAll(limit: 4096) else { return nil }
        let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        return lines.count >= 2 ? Self.digest(lines[1]) : nil
    }

    /// In the hub's cache a shard is a link to `blobs/<entity tag>`.
    private func fromBlobName(_ shard: String) -> String? {
        guard let target = Folders.canonical("\(folder)/\(shard)") else { return nil }
        let (parent, name) = AtomicFileWriter.split(target)
        return AtomicFileWriter.split(parent).name == "blobs" ? Self.digest(name.utf8) : nil
    }

    private static func digest(_ text: some Sequence<UInt8>) -> String? {
        let characters = text.filter { $0 != UInt8(ascii: "\r") && $0 != UInt8(ascii: " ") && $0 != UInt8(ascii: "\"") }
        guard characters.count == 64 else { return nil }
        for character in characters {
            switch character {
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"), UInt8(ascii: "A")...UInt8(ascii: "F"): continue
            default: return nil
            }
        }
        return String(decoding: characters, as: UTF8.self).lowercased()
    }
}
