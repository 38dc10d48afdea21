/// The limits that control groups, versions 1 and 2, set for this process. A limit of any ancestor counts.
package struct ControlGroup: Sendable, Equatable {
    /// Bytes of memory that the group may use, and uses; nil without a limit.
    package let memoryLimit: UInt64?
    package let memoryUsed: UInt64?
    /// Of the used bytes those that hold pages of files, which the system gives up when memory gets short.
    package let memoryOfFiles: UInt64?
    /// Processors' worth of time per second; nil without a limit.
    package let processors: Double?

    /// `root` is put before every path, for tests.
    package init(root: String = "") {
        var limits: [(limit: UInt64, used: UInt64?, files: UInt64?)] = []
        var shares: [Double] = []
        for folder in Self.folders(root, controller: "memory") {
            guard let limit = Self.bytes("\(folder.path)/\(folder.isVersion2 ? "memory.max" : "memory.limit_in_bytes")") else { continue }
            limits.append((limit, Self.bytes("\(folder.path)/\(folder.isVersion2 ? "memory.current" : "memory.usage_in_bytes")"), Self.fileBytes(folder)))
        }
        for folder in Self.folders(root, controller: "cpu") {
            if let share = folder.isVersion2 ? Self.shareVersion2(folder.path) : Self.shareVersion1(folder.path) { shares.append(share) }
        }
        let tightest = limits.min { $0.limit < $1.limit }
        memoryLimit = tightest?.limit
        memoryUsed = tightest?.used
        memoryOfFiles = tightest?.files
        processors = shares.min()
    }

    private struct Folder {
        var path: String
        var isVersion2: Bool
    }

    /// The group of this process and its ancestors, as far as they can be seen. Inside a container the path in
    /// /proc/self/cgroup may be the host's; then only the root of the mount exists, and it is the right one.
    private static func folders(_ root: String, controller: String) -> [Folder] {
        guard let text = SystemText.read("\(root)/proc/self/cgroup") else { return [] }
        var folders: [Folder] = []
        for line in text.split(separator: "\n") {
            let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard parts.count == 3 else { continue }
            let isVersion2 = parts[1].isEmpty
            guard isVersion2 || parts[1].split(separator: ",").contains(Substring(controller)) else { continue }
            let mounts = isVersion2 ? ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"] : ["/sys/fs/cgroup/\(controller)", "/sys/fs/cgroup/\(parts[1])"]
            var path = parts[2].split(separator: "/").filter { $0 != ".." }
            while true {
                let suffix = path.map { "/\($0)" }.joined()
                folders += mounts.map { Folder(path: root + $0 + suffix, isVersion2: isVersion2) }
                if path.popLast() == nil { break }
            }
        }
        return folders
    }

    /// Version 2 says "max" and version 1 a number near 2^63 when there is no limit.
    private static func bytes(_ path: String) -> UInt64? {
        SystemText.number(path).flatMap { $0 >= 0 && $0 < 1 << 60 ? UInt64($0) : nil }
    }

    private static func fileBytes(_ folder: Folder) -> UInt64? {
        guard let text = SystemText.read("\(folder.path)/memory.stat") else { return nil }
        let prefix = folder.isVersion2 ? "" : "total_"
        let values = text.split(separator: "\n").compactMap { line -> UInt64? in
            let parts = line.split(separator: " ")
            return parts.count == 2 && (parts[0] == "\(prefix)active_file" || parts[0] == "\(prefix)inactive_file") ? UInt64(parts[1]) : nil
        }
        return values.isEmpty ? nil : values.reduce(0, +)
    }

    private static func shareVersion2(_ folder: String) -> Double? {
        guard let fields = SystemText.read("\(folder)/cpu.max")?.split(whereSeparator: \.isWhitespace), fields.count == 2,
            let quota = Double(fields[0]), let period = Double(fields[1]), quota > 0, period > 0
        else { return nil }
        return quota / period
    }

    private static func shareVersion1(_ folder: String) -> Double? {
        guard let quota = SystemText.number("\(folder)/cpu.cfs_quota_us"), let period = SystemText.number("\(folder)/cpu.cfs_period_us"),
            quota > 0, period > 0
        else { return nil }
        return Double(quota) / Double(period)
    }
}
