import HostFacts
import Kernels
import StrictJSON

/// What `inspect --machine` shows.
struct MachineReport {
    func show(json: Bool) throws {
        let group = ControlGroup()
        let (cpu, memory, selected) = (CPUFacts(group: group), MachineMemory(group: group), try KernelSet.selected())
        if json {
            return Terminal.document([
                "cpu": [
                    "model": JSONValue(cpu.model), "features": JSONValue(cpu.features.map { JSONValue($0) }), "online": JSONValue(cpu.online),
                    "allowed": JSONValue(cpu.allowed), "cores": cpu.cores.map { JSONValue($0) } ?? .null,
                    "quota": cpu.quota.map { JSONValue($0) } ?? .null, "default_threads": JSONValue(cpu.defaultThreads), "compute_threads": JSONValue(cpu.computeThreads),
                ],
                "instruction_set": [
                    "selected": JSONValue(selected.name), "available": JSONValue(KernelSet.available.map { JSONValue($0.name) }),
                    "known": JSONValue(KernelSet.knownNames.map { JSONValue($0) }),
                ],
                "memory": Self.memoryJSON(memory),
            ])
        }
        print("""
            processor        \(cpu.model)
              features       \(cpu.features.joined(separator: " "))
              threads        \(cpu.online) online, \(cpu.allowed) allowed\(cpu.cores.map { ", \($0) cores" } ?? "")\
            \(cpu.quota.map { ", control group grants \(Quantities.fixed($0, 2))" } ?? ""); default \(cpu.defaultThreads), \(cpu.computeThreads) to run a model
            instruction set  \(selected.name) (available: \(KernelSet.available.map(\.name).joined(separator: ", ")); \
            \(KernelSet.environmentVariable) forces one)
            memory           \(Quantities.bytes(memory.physical)), \(Quantities.bytes(memory.available)) available\
            \(memory.groupLimit.map { ", control group limit \(Quantities.bytes($0))" } ?? ", no control group limit")
            """)
    }

    static func memoryJSON(_ memory: MachineMemory) -> JSONValue {
        [
            "physical_bytes": JSONValue(memory.physical), "available_bytes": JSONValue(memory.available),
            "group_limit_bytes": memory.groupLimit.map { JSONValue($0) } ?? .null,
            "group_used_bytes": memory.groupLimit == nil ? .null : memory.groupUsed.map { JSONValue($0) } ?? .null,
        ]
    }
}
