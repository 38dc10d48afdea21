import Glibc
import Kernels

/// Keys and values of every layer and position, one contiguous row of all key-value heads per position.
///
/// *Layout*: [layer][position][heads x size], fp16 or f32. Untouched positions cost no memory: the pages come from the system on first use.
package final class KeyValueCache {
    package enum Element: String, Sendable, CaseIterable {
        case f16, f32

        package var bytes: Int { self == .f16 ? 2 : 4 }
    }

    package let element: Element
    package let layers: Int
    /// Positions there is room for.
    package let context: Int
    /// Elements of one position: key-value heads x head size.
    package let width: Int
    /// Positions filled so far.
    package internal(set) var count = 0

    private let memory: UnsafeMutableRawPointer
    private let bytesPerSide: Int

    package static func byteCount(layers: Int, context: Int, width: Int, element: Element) -> Int { 2 * layers * context * width * element.bytes }

    /// Throws when the system has no address space of that size.
    package init(layers: Int, context: Int, width: Int, element: Element) throws(InferenceError) {
        self.element = element
        self.layers = layers
        self.context = context
        self.width = width
        bytesPerSide = context * width * element.bytes
        let bytes = Self.byteCount(layers: layers, context: context, width: width, element: element)
        guard let memory = mmap(nil, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0), memory != MAP_FAILED else {
            throw .outOfMemory(what: "key-value cache for \(context) positions", bytes: bytes)
        }
        self.memory = memory
    }

    deinit { munmap(memory, 2 * layers * bytesPerSide) }

    func keys(layer: Int) -> UnsafeMutableRawPointer { memory + 2 * layer * bytesPerSide }
    func values(layer: Int) -> UnsafeMutableRawPointer { memory + (2 * layer + 1) * bytesPerSide }

    /// Stores one position's keys and values, `width` floats each.
    func store(layer: Int, position: Int, keys: UnsafePointer<Float>, values: UnsafePointer<Float>, with kernels: KernelSet) {
        let offset = position * width * element.bytes
        for (source, target) in [(keys, self.keys(layer: layer)), (values, self.values(layer: layer))] {
            switch element {
            case .f16: kernels.narrow(source, count: width, into: (target + offset).assumingMemoryBound(to: UInt16.self))
            case .f32: memcpy(target + offset, source, width * 4)
            }
        }
    }

    /// Forgets positions from `position` on.
    package func truncate(to position: Int) {
        precondition(position >= 0 && position <= count, "position \(position) of \(count)")
        count = position
    }
}
