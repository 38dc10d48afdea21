import Kernels

/// What the others can be compared with.
enum YardstickCases {
    static func cases(_ sizes: KernelSizes) -> [KernelCase] {
        let slice = sizes.cachedBytes
        let reading = [("cache", sizes.cachedBytes), ("memory", sizes.streamedBytes)].map { place, bytes in
            KernelCase("read_memory \(place)", bytes: slice) {
                let (memory, rotation) = (Memory(bytes: bytes), Rotation(bytes / slice))
                return { _ in
                    _ = KernelSet.readMemory(UnsafeRawBufferPointer(start: memory.base + rotation.next() * slice, count: slice))
                }
            }
        }
        let rounds = 64
        let operations = KernelSet.available[0].dotProductLoop(rounds: rounds)
        return reading + [KernelCase("dot_peak", operations: operations) { { _ = $0.dotProductLoop(rounds: rounds) } }]
    }
}
