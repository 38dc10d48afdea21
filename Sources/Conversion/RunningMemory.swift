package import Architectures
package import HostFacts

/// What running a model takes, before any of it exists.
package struct RunningMemory: Sendable, Equatable {
    package let context: Int
    /// All tensors: they are mapped, and every token touches each of them.
    package let weights: UInt64
    /// K and V of all layers in fp16 for the whole context.
    package let cache: UInt64
    /// Buffers of a prompt's tokens, of which `batch` are worked on at once, and the program itself.
    package let scratch: UInt64

    private static let batch = 512
    private static let program: UInt64 = 32 << 20

    package init(configuration: LlamaConfiguration, tensorBytes: UInt64, context: Int) {
        self.context = context
        weights = tensorBytes
        cache = UInt64(configuration.cacheBytesPerToken()) * UInt64(context)
        // Residual, norm, queries, keys and values, gate and up as floats, the products' inputs also as int8.
        let values = 3 * configuration.hiddenSize + 2 * configuration.queryRows + 2 * configuration.keyValueRows + 2 * configuration.intermediateSize
        let perToken = 4 * values + 2 * (configuration.hiddenSize + configuration.intermediateSize)
        scratch = UInt64(min(Self.batch, context) * perToken + 4 * configuration.vocabulary + 4 * context * configuration.heads) + Self.program
    }

    package var total: UInt64 { weights + cache + scratch }

    package func fits(_ memory: MachineMemory) -> Bool { total <= memory.limit }
}
