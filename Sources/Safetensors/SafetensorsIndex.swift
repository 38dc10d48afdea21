package import StrictJSON

/// `model.safetensors.index.json`: which shard holds which tensor.
package struct SafetensorsIndex: Sendable {
    package static let fileName = "model.safetensors.index.json"
    /// Far above any real one (a 70B model's has 60 kB), far below what would be a burden.
    package static let largestFile: UInt64 = 100_000_000
    package static let mostShards = 10_000

    package struct Entry: Sendable, Equatable {
        package let tensor: JSONString
        /// Position in `shards`.
        package let shard: Int
    }

    /// In the order of the file.
    package let entries: [Entry]
    /// Plain file names, sorted, each once.
    package let shards: [JSONString]
    /// Advisory: published checkpoints carry wrong values.
    package let totalSize: UInt64?

    /// Throws the faults that it finds, one line each.
    package init(_ bytes: [UInt8], file: String = Self.fileName) throws(Faults) {
        let root: JSONValue
        do throws(JSONError) { root = try JSONReader.read(bytes) } catch { throw Faults(["\(file): \(error)"]) }
        guard let map = root["weight_map"] else { throw Faults(["\(file): 'weight_map' is missing"]) }
        guard let map = map.object else { throw Faults(["\(file): 'weight_map' must be an object, found \(map.summary)"]) }
        if map.isEmpty { throw Faults(["\(file): 'weight_map' is empty"]) }

        var faults: [String] = []
        var names: Set<JSONString> = []
        for member in map.members {
            guard let shard = member.value.jsonString else {
                faults.append("\(file): tensor \(member.key.quoted): expected the name of a shard, found \(member.value.summary)")
                continue
            }
            // Each bad name is reported once, not once for every tensor in it.
            guard names.insert(shard).inserted, let problem = Self.problem(withName: shard) else { continue }
            faults.append("\(file): the shard name \(shard.quoted) \(problem)")
        }
        if names.count > Self.mostShards {
            faults.append("\(file): names \(names.count) shards, at most \(Self.mostShards) are supported")
        }
        if !faults.isEmpty { throw Faults(faults) }

        shards = names.sorted()
        let positions = Dictionary(uniqueKeysWithValues: shards.enumerated().map { ($1, $0) })
        entries = map.members.map { Entry(tensor: $0.key, shard: positions[$0.value.jsonString!]!) }
        totalSize = root["metadata"]?["total_size"]?.uint64
    }

    package struct Faults: Error, Equatable {
        package let lines: [String]
        init(_ lines: [String]) { self.lines = lines }
    }

    /// Why the name could lead out of the folder, or nil. A shard may still be a symbolic link: the caches of model
    /// hubs store each file as a link into a folder of blobs.
    static func problem(withName name: JSONString) -> String? {
        if name.isEmpty { return "is empty" }
        if name.bytes.count > 255 { return "is longer than 255 bytes" }
        if name.bytes.contains(UInt8(ascii: "/")) || name.bytes.contains(UInt8(ascii: "\\")) {
            return "contains a path separator; shards lie beside the index"
        }
        if name == "." || containsTwoDots(name.bytes) {
            return "contains '..' or is '.'; shards lie beside the index"
        }
        if name.bytes.contains(where: { $0 < 0x20 || $0 == 0x7F }) { return "contains a control character" }
        return nil
    }

    private static func containsTwoDots(_ bytes: [UInt8]) -> Bool {
        zip(bytes, bytes.dropFirst()).contains { $0 == UInt8(ascii: ".") && $1 == UInt8(ascii: ".") }
    }
}
