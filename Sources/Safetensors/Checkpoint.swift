package import ByteStorage
import StrictJSON
package import Tensors

/// A tensor of a checkpoint and where its bytes lie.
package struct CheckpointTensor: Sendable, Equatable {
    /// Two names are the same only when their UTF-8 bytes are.
    package let name: String
    package let type: ElementType
    package let shape: [Int]
    /// Position in `Checkpoint.shards`.
    package let shardIndex: Int
    /// Position in the shard's file; may be unaligned.
    package let byteOffset: UInt64
    package let byteCount: UInt64

    package var dtypeName: String { type.rawValue }
    /// Nil for a type that Quern does not convert.
    package var source: SourceType? { type.source }
}

/// A folder with `model.safetensors`, or with shards and their index. Every file is open and completely checked.
package struct Checkpoint: Sendable {
    package struct Shard: Sendable {
        package let name: String
        package let path: String
        package let size: UInt64
        package let file: ReadableFile
        package let header: SafetensorsHeader
    }

    package static let singleFile = "model.safetensors"

    package let folder: String
    package let shards: [Shard]
    /// By shard, then by position in the file.
    package let tensors: [CheckpointTensor]
    /// Oddities that do no harm.
    package let notes: [String]

    package var byteCount: UInt64 { tensors.reduce(0) { $0 + $1.byteCount } }

    /// Opens and checks all files. Everything that is wrong with the folder is in the one error.
    package static func open(folder: String) throws(CheckpointError) -> Checkpoint {
        switch Folders.kind(of: folder) {
        case .folder:
            if !Folders.isReadable(folder) {
                throw CheckpointError(folder: folder, faults: ["this user may not read the folder (permission denied); change its permissions, or run as its owner"])
            }
        case .missing: throw CheckpointError(folder: folder, faults: ["the folder does not exist; give the folder of a downloaded checkpoint"])
        case .file, .other: throw CheckpointError(folder: folder, faults: [whatItIs(folder)])
        }
        let hasIndex = Folders.kind(of: "\(folder)/\(SafetensorsIndex.fileName)") != .missing
        let hasSingleFile = Folders.kind(of: "\(folder)/\(singleFile)") != .missing
        if hasIndex {
            let index = try readIndex(folder)
            if hasSingleFile && !index.shards.contains(JSONString(singleFile)) {
                throw CheckpointError(
                    folder: folder,
                    faults: ["holds both \(singleFile) and an index of other shards; move the one that is not wanted out of the folder"])
            }
            return try open(folder: folder, index: index)
        }
        guard hasSingleFile else { throw CheckpointError(folder: folder, faults: [whatElseIsThere(folder)]) }
        return try openSingleFile(folder)
    }

    private static func openSingleFile(_ folder: String) throws(CheckpointError) -> Checkpoint {
        switch openShard(singleFile, in: folder, missing: "missing") {
        case .success(let shard):
            return Checkpoint(folder: folder, shards: [shard], tensors: tensors(of: shard, at: 0), notes: [])
        case .failure(let fault): throw CheckpointError(folder: folder, faults: [fault.line])
        }
    }

    private static func open(folder: String, index: SafetensorsIndex) throws(CheckpointError) -> Checkpoint {
        var counts = [Int](repeating: 0, count: index.shards.count)
        for entry in index.entries { counts[entry.shard] += 1 }

        var faults: [String] = []
        var shards: [Shard?] = []
        for (position, name) in index.shards.enumerated() {
            let missing = "missing; the index places \(counts[position]) tensor\(counts[position] == 1 ? "" : "s") in it; download it again"
            switch openShard(name.string, in: folder, missing: missing) {
            case .success(let shard): shards.append(shard)
            case .failure(let fault):
                shards.append(nil)
                faults.append(fault.line)
            }
        }
        faults += disagreements(index, shards)
        if !faults.isEmpty { throw CheckpointError(folder: folder, faults: faults) }

        let opened = shards.compactMap { $0 }
        let all = opened.enumerated().flatMap { position, shard in tensors(of: shard, at: position) }
        var notes: [String] = []
        let total = all.reduce(0) { $0 + $1.byteCount }
        if let claimed = index.totalSize, claimed != total {
            notes.append("\(SafetensorsIndex.fileName): total_size is \(claimed), the tensors have \(total) bytes; the tensors count")
        }
        return Checkpoint(folder: folder, shards: opened, tensors: all, notes: notes)
    }

    /// Where the index and the shards that could be opened do not say the same.
    private static func disagreements(_ index: SafetensorsIndex, _ shards: [Shard?]) -> [String] {
        var faults: [String] = []
        let places = Dictionary(uniqueKeysWithValues: index.entries.map { ($0.tensor, $0.shard) })
        var found: [JSONString: Int] = [:]
        for (position, shard) in shards.enumerated() {
            guard let shard else { continue }
            for tensor in shard.header.tensors {
                if let first = found.updateValue(position, forKey: tensor.name) {
                    faults.append("\(shard.name): tensor \(tensor.name.quoted) is also in \(index.shards[first].quoted)")
                } else if let expected = places[tensor.name], expected != position {
                    faults.append("\(shard.name): tensor \(tensor.name.quoted) is here, the index places it in \(index.shards[expected].quoted)")
                } else if places[tensor.name] == nil {
                    faults.append("\(shard.name): tensor \(tensor.name.quoted) is here, the index does not list it")
                }
            }
        }
        for entry in index.entries where found[entry.tensor] == nil {
            guard let shard = shards[entry.shard] else { continue }
            faults.append("\(shard.name): tensor \(entry.tensor.quoted) is missing, the index places it here")
        }
        return faults
    }

    private static func tensors(of shard: Shard, at position: Int) -> [CheckpointTensor] {
        shard.header.tensors.map {
            CheckpointTensor(
                name: $0.name.string, type: $0.type, shape: $0.shape, shardIndex: position, byteOffset: $0.byteOffset,
                byteCount: $0.byteCount)
        }
    }
}
