import Glibc

/// Steps of one hue from weak to strong. Only the lightness tells them apart, so no colour needs to be seen. In both schemes the strong
/// end is the one that differs most from the background.
struct ColourScale {
    /// Values of the weak and of the strong end.
    var weak: Double
    var strong: Double

    static let steps = 12

    func step(_ value: Double) -> Int {
        guard value.isFinite, weak != strong else { return value == -.infinity ? Self.steps - 1 : 0 }
        return min(max(Int((value - weak) / (strong - weak) * Double(Self.steps)), 0), Self.steps - 1)
    }

    /// The values at the borders of the steps, the weak end first.
    var borders: [Double] { (0...Self.steps).map { weak + (strong - weak) * Double($0) / Double(Self.steps) } }

    private typealias Colour = (red: Double, green: Double, blue: Double)
    /// sRGB of the two ends and the middle.
    private static let light: [Colour] = [(234, 242, 251), (86, 152, 214), (8, 48, 107)]
    private static let dark: [Colour] = [(27, 40, 56), (40, 104, 168), (190, 224, 255)]

    /// Rules for the classes h0 ... h11 (cells) and c0 ... c11 (text on them).
    static let lightRules = rules(light)
    static let darkRules = rules(dark)

    private static func rules(_ ends: [Colour]) -> HTML {
        (0..<steps).map { step -> HTML in
            let place = Double(step) / Double(steps - 1) * 2
            let (from, to) = place < 1 ? (ends[0], ends[1]) : (ends[1], ends[2])
            let part = place < 1 ? place : place - 1
            let colour: Colour = (
                from.red + (to.red - from.red) * part, from.green + (to.green - from.green) * part, from.blue + (to.blue - from.blue) * part
            )
            let text: HTML = luminance(colour) > 0.2 ? "#10151c" : "#fff"
            return ".h\(step){fill:\(hex(colour));background:\(hex(colour))}.heat .c\(step){fill:\(text)}"
        }.joined(by: "")
    }

    private static func hex(_ colour: Colour) -> String {
        "#" + [colour.red, colour.green, colour.blue].map { value in
            let byte = String(Int(value.rounded()), radix: 16)
            return byte.count < 2 ? "0" + byte : byte
        }.joined()
    }

    /// Relative luminance as WCAG 2 defines it.
    private static func luminance(_ colour: Colour) -> Double {
        func linear(_ value: Double) -> Double { value <= 10 ? value / 255 / 12.92 : pow((value / 255 + 0.055) / 1.055, 2.4) }
        return 0.2126 * linear(colour.red) + 0.7152 * linear(colour.green) + 0.0722 * linear(colour.blue)
    }
}
