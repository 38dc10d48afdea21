import Glibc

/// Maps values to places in a drawing, and chooses round values for the ticks.
struct Axis {
    let values: ClosedRange<Double>
    /// Places of the two ends; the first may be the larger one, as drawings count downwards.
    let start: Double
    let end: Double
    let step: Double

    /// The range is widened to whole steps, of which there are about `count`.
    init(_ values: ClosedRange<Double>, from start: Double, to end: Double, count: Int) {
        let span = max(values.upperBound - values.lowerBound, 1e-12)
        step = Self.roundStep(span / Double(count))
        self.values = (values.lowerBound / step).rounded(.down) * step...(values.upperBound / step).rounded(.up) * step
        (self.start, self.end) = (start, end)
    }

    /// 1, 2 or 5 times a power of ten, at least `step`.
    static func roundStep(_ step: Double) -> Double {
        let power = pow(10, log10(step).rounded(.down))
        let factor = [1.0, 2, 5].first { $0 * power >= step * 0.999_999 } ?? 10
        return factor * power
    }

    func place(_ value: Double) -> Double {
        let span = values.upperBound - values.lowerBound
        return start + (end - start) * (span > 0 ? (value - values.lowerBound) / span : 0.5)
    }

    var ticks: [Double] {
        let count = Int(((values.upperBound - values.lowerBound) / step).rounded())
        return (0...min(count, 100)).map { values.lowerBound + Double($0) * step }
    }

    /// Digits after the point that tell the ticks apart.
    var digits: Int { max(0, Int((-log10(step)).rounded(.up))) }
}

enum Drawing {
    /// A coordinate: a tenth of a pixel is as fine as anybody sees. Never a typographic minus.
    static func at(_ value: Double) -> String {
        let tenths = Int((min(max(value, -1e6), 1e6) * 10).rounded())
        let whole = "\(tenths < 0 ? "-" : "")\(tenths.magnitude / 10)"
        return tenths % 10 == 0 ? whole : "\(whole).\(tenths.magnitude % 10)"
    }

    /// A picture that is as wide as its place, at most `width`. `label` says in words what it shows.
    static func svg(width: Double, height: Double, label: String, kind: HTML = "plot", _ content: HTML) -> HTML {
        "<svg class=\"\(kind)\" role=\"img\" aria-label=\"\(label)\" viewBox=\"0 0 \(at(width)) \(at(height))\" style=\"max-width:\(at(width))px\">\(content)</svg>\n"
    }

    static func line(_ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double, _ kind: HTML) -> HTML {
        "<line class=\"\(kind)\" x1=\"\(at(x1))\" y1=\"\(at(y1))\" x2=\"\(at(x2))\" y2=\"\(at(y2))\"/>"
    }

    enum Anchor { case start, middle, end }

    static func text(_ x: Double, _ y: Double, _ anchor: Anchor, _ text: String, kind: HTML? = nil) -> HTML {
        let place: HTML = switch anchor {
        case .start: ""
        case .middle: " text-anchor=\"middle\""
        case .end: " text-anchor=\"end\""
        }
        return "<text x=\"\(at(x))\" y=\"\(at(y))\"\(place)\(kind.map { " class=\"\($0)\"" as HTML })>\(text)</text>"
    }
}
