import Glibc

/// The figures of one variant over all windows.
package struct EvaluationSummary: Sendable {
    /// Histogram of the divergences: tenths of a decade.
    package struct Histogram: Sendable, Equatable {
        /// log10 of the bins' limits: -8, -7.9, ... 2.
        package static let edges: [Double] = (0...100).map { Double($0 - 80) / 10 }
        /// One per pair of limits; the first takes everything below its upper limit, the last everything above its lower one.
        package var counts = [Int](repeating: 0, count: edges.count - 1)

        init(_ divergences: [Double]) {
            for value in divergences {
                let place = value > 0 ? (log10(value) + 8) * 10 : 0
                counts[place < 1 ? 0 : min(Int(place), counts.count - 1)] += 1
            }
        }
    }

    /// Against a reference.
    package struct Comparison: Sendable {
        package var referenceLogLoss: ClusteredMean
        package var divergence: ClusteredMean
        /// 1 where both find the same token likeliest.
        package var sameTop: ClusteredMean
        /// Log loss of the variant minus that of the reference, token by token.
        package var logRatio: ClusteredMean
        /// (p - p of the reference)^2 of the true token.
        package var squaredChange: ClusteredMean
        package var change: ClusteredMean
        /// Sorted.
        package var divergences: [Double]
        package var histogram: Histogram

        package var referencePerplexity: Double { exp(referenceLogLoss.mean) }
        package var perplexityRatio: Double { exp(logRatio.mean) }
        package var perplexityRatioUncertainty: Double { perplexityRatio * logRatio.uncertainty }
        package var rmsChange: Double { squaredChange.mean.squareRoot() }
        package var rmsChangeUncertainty: Double { rmsChange > 0 ? 0.5 / rmsChange * squaredChange.uncertainty : 0 }

        /// Linear interpolation between the sorted values, fraction in 0...1.
        package func percentile(_ fraction: Double) -> Double {
            guard !divergences.isEmpty else { return 0 }
            let place = fraction * Double(divergences.count - 1), low = Int(place)
            return divergences[low] + (place - Double(low)) * (divergences[min(low + 1, divergences.count - 1)] - divergences[low])
        }
    }

    package var windows: Int
    package var logLoss: ClusteredMean
    package var comparison: Comparison?

    package var perplexity: Double { exp(logLoss.mean) }
    /// As the field's tools give it, tokens taken as independent.
    package var perplexityUncertainty: Double { perplexity * logLoss.byTokens }
    package var perplexityUncertaintyByWindows: Double? { logLoss.byWindows.map { perplexity * $0 } }

    package init(_ windows: [WindowFigures], variant: Int) {
        let own = windows.map { $0.variants[variant] }
        self.windows = windows.count
        logLoss = ClusteredMean(own.map(\.logLoss))
        guard windows.contains(where: { !$0.referenceLogLoss.isEmpty }) else { return }
        func paired(_ body: (Double, Double) -> Double) -> ClusteredMean {
            ClusteredMean(zip(own, windows).map { zip($0.logLoss, $1.referenceLogLoss).map(body) })
        }
        let divergences = own.flatMap(\.divergence)
        comparison = Comparison(
            referenceLogLoss: ClusteredMean(windows.map(\.referenceLogLoss)), divergence: ClusteredMean(own.map(\.divergence)),
            sameTop: ClusteredMean(own.map { $0.isSameTop.map { $0 ? 1 : 0 } }), logRatio: paired { $0 - $1 },
            squaredChange: paired { (exp(-$0) - exp(-$1)) * (exp(-$0) - exp(-$1)) }, change: paired { exp(-$0) - exp(-$1) },
            divergences: divergences.sorted(), histogram: Histogram(divergences))
    }

    /// Mean divergence of one variant minus that of another, token by token on the same text.
    package static func difference(_ windows: [WindowFigures], from earlier: Int, to later: Int) -> ClusteredMean {
        ClusteredMean(windows.map { zip($0.variants[later].divergence, $0.variants[earlier].divergence).map { $0 - $1 } })
    }
}
