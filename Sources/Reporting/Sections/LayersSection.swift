import Architectures
import Conversion
import Tensors

/// SQNR of each matrix of the layers as a map, and a table of the kinds.
struct LayersSection {
    let report: QualityReport

    private typealias Entry = (figures: TensorFigures, place: TensorPlace?)
    private static let kinds: [TensorRole] = [.query, .key, .value, .attentionOutput, .gate, .up, .down]
    /// A narrower range would show differences that mean nothing in full contrast.
    private static let leastSpan = 1.0

    var markup: HTML {
        let inLayers = report.entries.filter { $0.place?.layer != nil && $0.place?.role.isNorm == false }
        guard !inLayers.isEmpty else {
            return Page.section("layers", "By layer and kind", "<p>The file holds no tensor that the layers of its configuration name.</p>\n")
        }
        return Page.section("layers", "By layer and kind", "\(errors(inLayers))\(types(inLayers))\(table)")
    }

    private func errors(_ entries: [Entry]) -> HTML {
        let values = entries.map(\.figures.errors.sqnrDecibels).filter(\.isFinite)
        guard let low = values.min(), let high = values.max() else { return "<p>The matrices of the layers lost nothing.</p>\n" }
        let spread = max(0, Self.leastSpan - (high - low)) / 2
        let scale = ColourScale(weak: high + spread, strong: low - spread)
        let map = map(entries, scale, label: "Heat map of the SQNR of each matrix by layer and kind, from \(Numbers.decibels(low)) to \(Numbers.decibels(high))") {
            HeatMap.Cell(
                value: $0.errors.sqnrDecibels, text: Numbers.fixed($0.errors.sqnrDecibels, 1),
                title: "\($0.name), \($0.type): \(Numbers.decibels($0.errors.sqnrDecibels))")
        }
        return """
            <figure><figcaption>SQNR of each matrix, dB</figcaption>
            \(map)\(legend(scale))</figure>

            """
    }

    /// Which type each matrix has, where they differ.
    private func types(_ entries: [Entry]) -> HTML {
        let bits = Dictionary(grouping: entries, by: \.figures.type).mapValues { group in group.map(\.figures.bitsPerWeight).reduce(0, +) / Double(group.count) }
        guard bits.count > 1 else { return "" }
        // Steps of the same size: by bits, types of 4.3 and 4.5 bits would look alike beside one of 8.
        let order = bits.sorted { ($0.value, $0.key.rawValue) < ($1.value, $1.key.rawValue) }.map(\.key)
        let scale = ColourScale(weak: 0, strong: Double(order.count - 1))
        func rank(_ type: StorageType) -> Double { Double(order.firstIndex(of: type) ?? 0) }
        let map = map(entries, scale, label: "Storage type of each matrix by layer and kind") {
            HeatMap.Cell(value: rank($0.type), text: $0.type.name, title: "\($0.name): \($0.type), \(Numbers.fixed($0.bitsPerWeight, 3)) bits per weight")
        }
        let keys = order.map { type -> HTML in
            "<span><i class=\"h\(scale.step(rank(type)))\"></i>\(type.name), \(Numbers.fixed(bits[type] ?? 0, 2)) bits</span> "
        }
        return "<figure><figcaption>Storage type of each matrix</figcaption>\n\(map)<p class=\"legend\">\(keys)</p></figure>\n"
    }

    private func map(_ entries: [Entry], _ scale: ColourScale, label: String, _ cell: (TensorFigures) -> HeatMap.Cell) -> HTML {
        let layers = (entries.compactMap(\.place?.layer).max() ?? 0) + 1
        var cells = Self.kinds.map { _ in [HeatMap.Cell?](repeating: nil, count: layers) }
        for entry in entries {
            guard let layer = entry.place?.layer, let role = entry.place?.role, let row = Self.kinds.firstIndex(of: role) else { continue }
            cells[row][layer] = cell(entry.figures)
        }
        return HeatMap(rows: Self.kinds.map(\.label), cells: cells, columnName: "layer", scale: scale, label: label).svg
    }

    private func legend(_ scale: ColourScale) -> HTML {
        let swatches = (0..<ColourScale.steps).map { "<i class=\"h\($0)\"></i>" as HTML }
        return "<p class=\"legend ends\">less error, \(Numbers.decibels(scale.weak)) <b aria-hidden=\"true\">\(swatches)</b> \(Numbers.decibels(scale.strong)), more error</p>"
    }

    private var table: HTML {
        var table = Table(
            "SQNR by kind, each tensor counted once",
            [("kind", true), ("tensors", false), ("types", true), ("bits per weight", false), ("lowest", false), ("in layer", false), ("mean", false), ("highest", false)])
        for role in TensorRole.allCases {
            let group = report.entries.filter { $0.place?.role == role }
            guard let first = group.first else { continue }
            let types = Set(group.map(\.figures.type)).sorted { $0.rawValue < $1.rawValue }.map(\.name).joined(separator: ", ")
            let weights = group.reduce(0) { $0 + $1.figures.weights }
            let bits = Double(group.reduce(0) { $0 + $1.figures.bytes }) * 8 / Double(weights)
            let lossy = group.filter { $0.figures.errors.noise > 0 }
            let values = lossy.map(\.figures.errors.sqnrDecibels)
            let worst = lossy.min { $0.figures.errors.sqnrDecibels < $1.figures.errors.sqnrDecibels } ?? first
            table.rows.append([
                "\(role.label)", "\(Numbers.count(group.count))", "\(types)", "\(Numbers.fixed(bits, 3))",
                "\(Numbers.decibels(values.min() ?? .infinity))", "\(lossy.isEmpty ? Numbers.absent : worst.place?.layer.map { String($0) } ?? Numbers.absent)",
                "\(Numbers.decibels(values.isEmpty ? .infinity : values.reduce(0, +) / Double(values.count)))", "\(Numbers.decibels(values.max() ?? .infinity))",
            ])
        }
        return table.markup
    }
}
