/// What one window of text gave: figures of every prediction that counts, in the order of the text.
package struct WindowFigures: Sendable, Equatable {
    package struct Variant: Sendable, Equatable {
        /// -ln p(true token), in nats.
        package var logLoss: [Double] = []
        /// KL(reference || variant), in nats; empty without a reference.
        package var divergence: [Double] = []
        /// Whether both find the same token likeliest; empty without a reference.
        package var isSameTop: [Bool] = []

        package init() {}
    }

    /// Of the reference; empty without one.
    package var referenceLogLoss: [Double] = []
    package var variants: [Variant]

    package init(variants: Int) { self.variants = [Variant](repeating: Variant(), count: variants) }
}
