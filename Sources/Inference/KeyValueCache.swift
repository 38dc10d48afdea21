import Glibc
package import Kernels

/// Keys and values of every layer and position.
///
/// *Layout*: [layer][key-value head], each a `HeadCache`. Untouched positions cost no memory: the pages come from the system on first use.
package final class KeyValueCache {
    package typealias Element = CacheElement

    package let element: Element
    package let layers: Int
    package let heads: Int
    package let headSize: Int
    /// Positions there is room for.
    package let context: Int
    /// Positions filled so far.
    package internal(set) var count = 0

    private let memory: UnsafeMutableRawPointer
    private let bytesPerHead: Int

    package static func byteCount(layers: Int, heads: Int, headSize: Int, context: Int, element: Element) -> Int {
        layers * heads * HeadCache.byteCount(context: context, headSize: headSize, element: element)
    }

    /// Bytes that one more position adds, and that each generated token reads per earlier position.
    package static func bytesPerPosition(layers: Int, heads: Int, headSize: Int, element: Element) -> Int {
        byteCount(layers: layers, heads: heads, headSize: headSize, context: 16, element: element) / 16
    }

    /// Throws when the system has no address space of that size.
    package init(layers: Int, heads: Int, headSize: Int, context: Int, element: Element) throws(InferenceError) {
        self.element = element
        self.layers = layers
        self.heads = heads
        self.headSize = headSize
        self.context = context
        bytesPerHead = HeadCache.byteCount(context: context, headSize: headSize, element: element)
        let bytes = layers * heads * bytesPerHead
        guard let memory = mmap(nil, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0), memory != MAP_FAILED else {
            throw .outOfMemory(what: "key-value cache for \(context) positions", bytes: bytes)
        }
        self.memory = memory
    }

    deinit { munmap(memory, layers * heads * bytesPerHead) }

    /// `index`: layer x heads + head.
    func headMemory(_ index: Int) -> UnsafeMutableRawPointer { memory + index * bytesPerHead }

    /// The addresses of every head, copied without counting references.
    struct View {
        let memory: UnsafeMutableRawPointer
        let bytesPerHead, heads, context, headSize: Int
        let element: Element

        func head(layer: Int, head: Int) -> HeadCache {
            HeadCache(memory: memory + (layer * heads + head) * bytesPerHead, context: context, headSize: headSize, element: element)
        }
    }
    var view: View { View(memory: memory, bytesPerHead: bytesPerHead, heads: heads, context: context, headSize: headSize, element: element) }

    /// Forgets positions from `position` on.
    package func truncate(to position: Int) {
        precondition(position >= 0 && position <= count, "position \(position) of \(count)")
        count = position
    }
}
