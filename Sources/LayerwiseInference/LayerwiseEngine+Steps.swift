package import Architectures
import Glibc
package import Kernels

/// Keys and values of every layer for some texts that grow together, one token each at a time.
package final class TextCaches: @unchecked Sendable {  // Safe: plain memory; the engine's threads write different heads.
    package let texts: Int
    let context: Int
    let element: CacheElement
    private let configuration: LlamaConfiguration
    private let memory: UnsafeMutableRawPointer
    private let bytesPerHead: Int

    package static func byteCount(texts: Int, context: Int, element: CacheElement, configuration: LlamaConfiguration) -> Int {
        texts * configuration.layers * configuration.keyValueHeads
            * HeadCache.byteCount(context: context, headSize: configuration.headDimension, element: element)
    }

    package init(texts: Int, context: Int, element: CacheElement, configuration: LlamaConfiguration) {
        (self.texts, self.context, self.element, self.configuration) = (texts, context, element, configuration)
        bytesPerHead = HeadCache.byteCount(context: context, headSize: configuration.headDimension, element: element)
        let bytes = Self.byteCount(texts: texts, context: context, element: element, configuration: configuration)
        memory = aligned_alloc(64, bytes)!
        memset(memory, 0, bytes)
    }

    deinit { free(memory) }

    func head(layer: Int, text: Int, head: Int) -> HeadCache {
        let index = (layer * texts + text) * configuration.keyValueHeads + head
        return HeadCache(memory: memory + index * bytesPerHead, context: context, headSize: configuration.headDimension, element: element)
    }
}

/// One token more of several texts at once.
extension LayerwiseEngine {
    /// Takes the residual stream of one token per text, all at `position`, through a layer.
    ///
    /// - *Shapes*: `states` has one token per text, each a window of its own.
    package func step(
        _ weights: LayerWeights, layer: Int, _ arithmetic: LayerArithmetic, on states: HiddenStates, position: Int, caches: TextCaches
    ) throws {
        let tokens = 0..<states.tokens
        precondition(states.tokens == caches.texts && position >= 0 && position < min(caches.context, windowSize), "position \(position)")
        try attentionInput(weights, arithmetic, states, tokens)
        try project(weights, arithmetic, tokens.count)
        let heads = configuration.keyValueHeads
        try each(tokens.count * heads, chunk: 1) { item, mine in
            let (text, head) = item.quotientAndRemainder(dividingBy: heads)
            attend(head, token: text, position: position, caches.head(layer: layer, text: text, head: head), mine)
        }
        try packMixed(arithmetic, tokens.count)
        try accumulate(weights.output, buffers.mixed, arithmetic, states, tokens)
        try feedForwardInput(weights, arithmetic, states, tokens)
        try gateAndUp(weights, arithmetic, tokens.count)
        try accumulate(weights.down, buffers.inner, arithmetic, states, tokens)
    }

    /// One key-value head of one token, whose position is the last of the cache.
    private func attend(_ head: Int, token: Int, position: Int, _ cache: HeadCache, _ mine: LayerBuffers.ThreadMemory) {
        let size = configuration.headDimension
        let at = token * buffers.keyStride + head * size
        rotate(buffers.key + at, position)
        kernels.store(position: position, key: buffers.key + at, value: buffers.value + at, in: cache)
        answer(head, first: token - position, positions: position..<position + 1, cache, mine)
    }
}
