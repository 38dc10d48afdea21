import Glibc

/// The processor and how much of it this process may use.
package struct CPUFacts: Sendable, Equatable {
    package let model: String
    /// Those of the extensions below that the processor and the system have.
    package let features: [String]
    /// Hardware threads that are switched on.
    package let online: Int
    /// Hardware threads that this process may run on.
    package let allowed: Int
    /// Distinct cores among the machine's hardware threads; nil when the system does not say.
    package let cores: Int?
    /// Processors' worth of time that the control group grants; nil without a limit.
    package let quota: Double?
    package let map: CoreMap

    private static let known: Set<Substring> = [
        "sse4_2", "avx", "avx2", "fma", "f16c", "bmi2", "avx_vnni", "avx512f", "avx512bw", "avx512vl", "avx512_vnni", "avx512_bf16",
        "avx512_fp16", "amx_tile", "amx_int8", "amx_bf16", "sha_ni", "asimd", "asimdhp", "asimddp", "i8mm", "bf16", "sve", "sve2", "sha2",
    ]

    package init(group: ControlGroup = ControlGroup()) {
        let text = SystemText.read("/proc/cpuinfo") ?? ""
        var model = "unknown"
        var features: [String] = []
        var seen: Set<String> = []
        var socket = ""
        for line in text.split(separator: "\n") {
            let parts = line.split(separator: ":", maxSplits: 1).map { $0.drop { $0.isWhitespace } }
            guard parts.count == 2 else { continue }
            let key = parts[0].reversed().drop { $0.isWhitespace }.reversed()
            switch String(key) {
            case "model name": model = String(parts[1])
            case "physical id": socket = String(parts[1])
            case "core id": seen.insert("\(socket)/\(parts[1])")
            case "flags", "Features":
                if features.isEmpty { features = parts[1].split(separator: " ").filter(Self.known.contains).map(String.init).sorted() }
            default: break
            }
        }
        self.model = model
        self.features = features
        cores = seen.isEmpty ? nil : seen.count
        online = max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
        map = CoreMap(online: online)
        allowed = map.cores.reduce(0) { $0 + $1.count }
        quota = group.processors
    }

    /// Threads for matrix products: one for each core, since two on a core share its multipliers and its path to memory, and only as many as the
    /// control group lets run all the time, since all wait for the slowest.
    package var computeThreads: Int { max(1, min(map.cores.count, quota.map { Int($0) } ?? map.cores.count)) }

    /// Hardware threads by core for compute threads to stay on, one on each core; nil where cores have a single one, which the system keeps by itself.
    package var computePlaces: [[Int]]? { map.hasSiblings ? map.cores : nil }

    /// As many threads as can run at once: never more than the affinity mask or the control group's share allows.
    package var defaultThreads: Int { max(1, min(online, allowed, quota.map { Int($0.rounded(.up)) } ?? online)) }
}
