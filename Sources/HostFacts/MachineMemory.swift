import Glibc

/// How much memory there is for a program.
package struct MachineMemory: Sendable, Equatable {
    package let physical: UInt64
    /// What programs can get without swapping, page cache that can be dropped included.
    package let available: UInt64
    /// The limit of the process's control group, if it has one.
    package let groupLimit: UInt64?
    package let groupUsed: UInt64?

    package init(group: ControlGroup = ControlGroup()) {
        physical = UInt64(max(0, sysconf(Int32(_SC_PHYS_PAGES)))) * UInt64(max(0, sysconf(Int32(_SC_PAGESIZE))))
        available = SystemText.read("/proc/meminfo").flatMap { SystemText.kilobytes("MemAvailable", in: $0) } ?? physical
        groupLimit = group.memoryLimit
        groupUsed = group.memoryUsed
    }

    /// The smaller of the machine's memory and the control group's limit.
    package var limit: UInt64 { min(physical, groupLimit ?? physical) }

    /// The largest resident memory that this process ever had (VmHWM): its own memory and the pages of mapped files that it
    /// touched, without page cache that it filled by reading and writing.
    package static func peakResident() -> UInt64? {
        SystemText.read("/proc/self/status").flatMap { SystemText.kilobytes("VmHWM", in: $0) }
    }
}
