import Glibc

/// 64-byte aligned memory that ends right before a page without access: whoever reads or writes 64 bytes past the end crashes.
/// Keep it in a `let` while its pointers are in use: arrays and temporaries may release it earlier. The few bytes between the end and that page, and the 64 before the start, hold a pattern that `isIntact` checks.
package final class GuardedMemory: @unchecked Sendable {  // Safe: plain memory; a test hands disjoint parts to threads.
    package let bytes: UnsafeMutableRawBufferPointer
    private let region: UnsafeMutableRawPointer
    private let regionBytes: Int
    private let slack: Int
    private static let pattern: UInt8 = 0xA5

    /// Zeroed.
    package init(count: Int) {
        let page = 4096
        let rounded = (count + 63) / 64 * 64
        let pages = (rounded + 64 + page - 1) / page * page
        regionBytes = pages + page
        region = mmap(nil, regionBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)!
        precondition(region != MAP_FAILED, "no memory: error \(errno)")
        mprotect(region + pages, page, PROT_NONE)
        slack = rounded - count
        let start = region + pages - rounded
        bytes = UnsafeMutableRawBufferPointer(start: start, count: count)
        memset(start - 64, Int32(Self.pattern), 64)
        memset(start + count, Int32(Self.pattern), slack)
    }

    package convenience init<Element>(_ elements: [Element]) {
        self.init(count: elements.count * MemoryLayout<Element>.stride)
        elements.withUnsafeBytes { bytes.copyMemory(from: $0) }
    }

    deinit { munmap(region, regionBytes) }

    package var base: UnsafeMutableRawPointer { bytes.baseAddress! }
    package var floats: UnsafeMutablePointer<Float> { base.assumingMemoryBound(to: Float.self) }
    package var raw: UnsafeRawBufferPointer { UnsafeRawBufferPointer(bytes) }

    /// Whether nothing was written around the bytes.
    package var isIntact: Bool {
        (0..<64).allSatisfy { (base - 64).load(fromByteOffset: $0, as: UInt8.self) == Self.pattern }
            && (0..<slack).allSatisfy { (base + bytes.count).load(fromByteOffset: $0, as: UInt8.self) == Self.pattern }
    }

    package func array<Element>(of: Element.Type) -> [Element] { Array(raw.bindMemory(to: Element.self)) }
}

/// Index of the first float whose bits differ, or nil.
package func firstDifference(_ a: [Float], _ b: [Float]) -> Int? {
    if a.count != b.count { return min(a.count, b.count) }
    return zip(a, b).enumerated().first { $1.0.bitPattern != $1.1.bitPattern }?.offset
}
