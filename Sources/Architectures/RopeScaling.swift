import Glibc

/// How the rotary frequencies were stretched for longer contexts.
package enum RopeScaling: Sendable, Equatable {
    case none
    case linear(factor: Double)
    /// Llama-3.1 and later: slow frequencies divided by `factor`, fast ones kept, a ramp between.
    case llama3(factor: Double, lowFrequencyFactor: Double, highFrequencyFactor: Double, originalContext: Int)

    /// The type's name in a config.
    package var name: String {
        switch self {
        case .none: "default"
        case .linear: "linear"
        case .llama3: "llama3"
        }
    }

    /// The angle per position of each pair (i, i + dimension / 2): theta^(-2i/dimension), then scaled. Every step is
    /// rounded to Float, as transformers does it, so that angles agree at large positions.
    ///
    /// *Shapes*: dimension / 2 values; `dimension` is even.
    package func inverseFrequencies(theta: Double, dimension: Int) -> [Float] {
        precondition(dimension > 0 && dimension % 2 == 0, "a head dimension of \(dimension) has no pairs")
        return (0..<dimension / 2).map { pair in
            let exponent = Float(2 * pair) / Float(dimension)
            return scaled(1 / Float(pow(Double(Float(theta)), Double(exponent))))
        }
    }

    private func scaled(_ frequency: Float) -> Float {
        switch self {
        case .none: return frequency
        case .linear(let factor): return frequency / Float(factor)
        case .llama3(let factor, let low, let high, let originalContext):
            let wavelength = 2 * Float.pi / frequency
            if wavelength < Float(Double(originalContext) / high) { return frequency }
            if wavelength > Float(Double(originalContext) / low) { return frequency / Float(factor) }
            let ramp = (Float(originalContext) / wavelength - Float(low)) / Float(high - low)
            return (1 - ramp) * frequency / Float(factor) + ramp * frequency
        }
    }
}
