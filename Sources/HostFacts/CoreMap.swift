/// The hardware threads that a process may run on, by core.
package struct CoreMap: Sendable, Equatable {
    /// Numbers of the allowed hardware threads of each core, ascending; cores in the order of their first one. Never empty.
    package let cores: [[Int]]

    /// Whether some core has more than one allowed hardware thread.
    package var hasSiblings: Bool { cores.contains { $0.count > 1 } }

    /// - Parameters:
    ///   - allowed: as /proc/self/status lists them, such as "0-3,8".
    ///   - siblings: the same form, for one hardware thread: those of its core; nil when the system does not say.
    package init(allowed: String?, siblings: (Int) -> String?) {
        let allowed = allowed.map(Self.numbers) ?? []
        var cores: [[Int]] = []
        var seen: Set<Int> = []
        for number in allowed where !seen.contains(number) {
            let core = siblings(number).map(Self.numbers) ?? [number]
            let members = allowed.filter { $0 == number || core.contains($0) && !seen.contains($0) }
            seen.formUnion(members)
            cores.append(members)
        }
        self.cores = cores.isEmpty ? [[0]] : cores
    }

    /// Of this process. Where the system does not say what is allowed, all `online` ones are.
    init(online: Int) {
        let status = SystemText.read("/proc/self/status") ?? ""
        let line = status.split(separator: "\n").first { $0.hasPrefix("Cpus_allowed_list:") }
        self.init(allowed: line.map { String($0.dropFirst("Cpus_allowed_list:".count)) } ?? "0-\(online - 1)") {
            SystemText.read("/sys/devices/system/cpu/cpu\($0)/topology/thread_siblings_list")
        }
    }

    /// "0-3,8" to 0, 1, 2, 3, 8. What is not of this form is left out, and so are numbers that no machine has.
    private static func numbers(_ list: String) -> [Int] {
        var found: Set<Int> = []
        for part in list.filter({ !$0.isWhitespace }).split(separator: ",") {
            let ends = part.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
            guard ends.count <= 2, let first = ends.first ?? nil, let last = ends.last ?? nil, first >= 0, first <= last, last < 1 << 16 else { continue }
            found.formUnion(first...last)
        }
        return found.sorted()
    }
}
