import Glibc

/// Sums from which every error figure of a tensor follows, for source values w and stored values v.
/// Added panel by panel in order, so the same tensor gives the same bits for any number of threads.
package struct ErrorSums: Sendable, Equatable {
    /// Sum of w^2.
    package var signal = 0.0
    /// Sum of (w - v)^2.
    package var noise = 0.0
    /// Sum of v^2.
    package var stored = 0.0
    /// Sum of w * v.
    package var product = 0.0
    /// Largest |w - v|.
    package var largest = 0.0
    /// Row with the largest noise relative to its own signal, and that ratio (a power ratio).
    package var worstRow = 0
    package var worstRowRatio = 0.0

    package init() {}

    /// Adds sums of later rows.
    package mutating func add(_ other: ErrorSums) {
        signal += other.signal
        noise += other.noise
        stored += other.stored
        product += other.product
        largest = max(largest, other.largest)
        if other.worstRowRatio > worstRowRatio {
            worstRowRatio = other.worstRowRatio
            worstRow = other.worstRow
        }
    }

    /// ||w - v|| / ||w||; 0 when nothing was lost, even of an all-zero tensor.
    package var relativeRMSE: Double { noise == 0 ? 0 : (noise / signal).squareRoot() }

    /// 10 log10(signal / noise) in decibels; infinite when nothing was lost.
    package var sqnrDecibels: Double { noise == 0 ? .infinity : 10 * log10(signal / noise) }

    /// Cosine of the angle between w and v; 1 for an all-zero tensor.
    package var cosine: Double {
        signal == 0 && stored == 0 ? 1 : product / (signal.squareRoot() * stored.squareRoot())
    }
}
