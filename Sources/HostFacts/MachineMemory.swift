import Glibc

/// How much memory there is for a program.
package struct MachineMemory: Sendable, Equatable {
    package let physical: UInt64
    /// What programs can get without swapping, page cache that can be dropped included.
    package let available: UInt64
    /// The limit of the process's control group, if it has one.
    package let groupLimit: UInt64?
    package let groupUsed: UInt64?
    private let groupFiles: UInt64?

    package init(group: ControlGroup = ControlGroup()) {
        physical = UInt64(max(0, sysconf(Int32(_SC_PHYS_PAGES)))) * UInt64(max(0, sysconf(Int32(_SC_PAGESIZE))))
        available = SystemText.read("/proc/meminfo").flatMap { SystemText.kilobytes("MemAvailable", in: $0) } ?? physical
        groupLimit = group.memoryLimit
        groupUsed = group.memoryUsed
        groupFiles = group.memoryOfFiles
    }

    /// The smaller of the machine's memory and the control group's limit.
    package var limit: UInt64 { min(physical, groupLimit ?? physical) }

    /// What this process can take now: of the machine's available memory, and of what its control group has left, file pages that can be
    /// dropped counted as free.
    package var obtainable: UInt64 {
        guard let groupLimit else { return available }
        let occupied = (groupUsed ?? 0) - min(groupFiles ?? 0, groupUsed ?? 0)
        return min(available, groupLimit - min(groupLimit, occupied))
    }

    /// The largest resident memory that this process ever had (VmHWM): its own memory and the pages of mapped files that it
    /// touched, without page cache that it filled by reading and writing.
    package static func peakResident() -> UInt64? {
        SystemText.read("/proc/self/status").flatMap { SystemText.kilobytes("VmHWM", in: $0) }
    }
}
