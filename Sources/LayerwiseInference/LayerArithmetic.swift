package import Kernels

/// How a layer's products and its attention compute.
package struct LayerArithmetic: Sendable, Equatable {
    package enum Products: Sendable, Equatable {
        /// Weights expanded to f32, times f32 activations.
        case floats
        /// Quantized weights times int8 activations, as when the model runs; other matrices as `floats`.
        case int8(ProductPrecision)
    }

    package var products: Products
    /// Element of the key-value cache.
    package var cache: CacheElement

    package init(products: Products, cache: CacheElement) { (self.products, self.cache) = (products, cache) }

    /// f32 throughout: what is measured then is the weights alone.
    package static let floats = LayerArithmetic(products: .floats, cache: .f32)
}
