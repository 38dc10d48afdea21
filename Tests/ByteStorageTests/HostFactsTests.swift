import ByteStorage
import Glibc
import HostFacts
import Testing

@Suite struct HostFactsTests {
    /// A small tree of /proc and /sys files.
    private final class Tree {
        let root: String
        private var made: [String] = []

        init(_ files: [String: String]) {
            root = "/tmp/quern-host-\(getpid())-\(UInt64.random(in: 0 ... .max))"
            for (path, text) in files {
                var folder = root
                make(folder)
                for part in path.split(separator: "/").dropLast() {
                    folder += "/\(part)"
                    make(folder)
                }
                let file = fopen("\(root)/\(path)", "w")!
                fputs(text, file)
                fclose(file)
                made.append("\(root)/\(path)")
            }
        }

        private func make(_ folder: String) {
            if mkdir(folder, 0o755) == 0 { made.append(folder) }
        }

        deinit { for path in made.reversed() { remove(path) } }
    }

    @Test func version2TakesTheTightestAncestor() {
        let tree = Tree([
            "proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/memory.max": "1000000\n", "sys/fs/cgroup/a/memory.current": "42\n",
            "sys/fs/cgroup/a/b/memory.max": "max\n", "sys/fs/cgroup/a/b/cpu.max": "150000 100000\n", "sys/fs/cgroup/a/cpu.max": "max 100000\n",
        ])
        let group = ControlGroup(root: tree.root)
        #expect(group.memoryLimit == 1_000_000)
        #expect(group.memoryUsed == 42)
        #expect(group.processors == 1.5)
    }

    @Test func filePagesCountAsFree() {
        let stat2 = "anon 300\ninactive_file 40\nactive_file 60\n", stat1 = "active_file 1\ntotal_inactive_file 40\ntotal_active_file 60\n"
        for (name, folder, limit, used, stat) in [
            ("0::/a\n", "sys/fs/cgroup/a", "memory.max", "memory.current", stat2),
            ("4:memory:/a\n", "sys/fs/cgroup/memory/a", "memory.limit_in_bytes", "memory.usage_in_bytes", stat1),
        ] {
            let tree = Tree(["proc/self/cgroup": name, "\(folder)/\(limit)": "1000\n", "\(folder)/\(used)": "400\n", "\(folder)/memory.stat": stat])
            let group = ControlGroup(root: tree.root)
            #expect(group.memoryOfFiles == 100)
            #expect(MachineMemory(group: group).obtainable == 700)
        }
        #expect(MachineMemory(group: ControlGroup(root: "/nowhere")).obtainable > 1 << 20)
    }

    @Test func version1InsideAContainer() {
        // The path is the host's; only the root of the mount is there.
        let tree = Tree([
            "proc/self/cgroup": "5:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n", "sys/fs/cgroup/memory/memory.limit_in_bytes": "2147483648\n",
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "50000\n", "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
        ])
        let group = ControlGroup(root: tree.root)
        #expect(group.memoryLimit == 2_147_483_648)
        #expect(group.processors == 0.5)
    }

    @Test func withoutLimits() {
        let tree = Tree([
            "proc/self/cgroup": "5:memory:/\n0::/\n", "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
            "sys/fs/cgroup/memory.max": "max\n",
        ])
        #expect(ControlGroup(root: tree.root) == ControlGroup(root: "/nowhere"))
        #expect(ControlGroup(root: tree.root).memoryLimit == nil)
    }

    @Test func thisMachine() throws {
        let memory = MachineMemory()
        #expect(memory.available <= memory.physical && memory.limit > 0)
        #expect(try #require(MachineMemory.peakResident()) > 1 << 20)
        let cpu = CPUFacts()
        #expect(cpu.defaultThreads >= 1 && cpu.defaultThreads <= cpu.allowed && cpu.allowed <= 1 << 20)
        #expect(cpu.computeThreads >= 1 && cpu.computeThreads <= cpu.defaultThreads)
        #expect(cpu.map.cores.reduce(0) { $0 + $1.count } == cpu.allowed)
    }

    @Test func coresOfTheAllowedThreads() {
        let siblings = [0: "0,4", 1: "1,5", 2: "2,6", 3: "3,7", 4: "0,4", 5: "1,5", 6: "2,6", 7: "3,7"]
        let all = CoreMap(allowed: "\t0-7\n") { siblings[$0] }
        #expect(all.cores == [[0, 4], [1, 5], [2, 6], [3, 7]] && all.hasSiblings)
        let some = CoreMap(allowed: "1,3,5,6") { siblings[$0] }
        #expect(some.cores == [[1, 5], [3], [6]] && some.hasSiblings)
        let silent = CoreMap(allowed: "0-1") { _ in nil }
        #expect(silent.cores == [[0], [1]] && !silent.hasSiblings)
        for text in [nil, "", "x", "3-1", "-1", "0-99999999999", "1-2-3"] { #expect(CoreMap(allowed: text) { _ in nil }.cores == [[0]]) }
    }
}
