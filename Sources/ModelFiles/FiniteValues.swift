import Tensors

/// Searches stored bytes for row scales, or values of float types, that are infinite or no number.
/// Authority: `Formats/StorageTypes.md`, section 3.
struct FiniteValues {
    let layout: PanelLayout

    /// Nil when all are finite; else what the first other one is.
    /// *Layout*: `chunk` is the tensor's bytes from `offset` on; both begin and end at multiples of 32 bytes.
    func problem(in chunk: UnsafeRawBufferPointer, at offset: Int) -> String? {
        layout.type.isQuantized ? scaleProblem(chunk, offset) : valueProblem(chunk, offset)
    }

    private func scaleProblem(_ chunk: UnsafeRawBufferPointer, _ offset: Int) -> String? {
        let panelBytes = layout.panelBytes
        var panel = (offset + panelBytes - 1) / panelBytes
        // A row scale could straddle two chunks only if panels were no multiples of 4 bytes.
        while panel < layout.panels && panel * panelBytes < offset + chunk.count {
            let start = panel * panelBytes - offset
            for row in 0..<PanelLayout.rowsPerPanel where start + 4 * row + 4 <= chunk.count {
                let value = Float(bitPattern: chunk.load(fromByteOffset: start + 4 * row, as: UInt32.self))
                if value.isFinite { continue }
                let shown = value.isNaN ? "nan" : "\(value)"
                return "the row scale of row \(panel * PanelLayout.rowsPerPanel + row) is \(shown), expected a finite number"
            }
            panel += 1
        }
        return nil
    }

    private func valueProblem(_ chunk: UnsafeRawBufferPointer, _ offset: Int) -> String? {
        let index =
            layout.type.traits.unitBytes / PanelLayout.rowsPerPanel == 2
            ? Self.firstSaturated(chunk.bindMemory(to: UInt16.self), exponent: 0x7C00)
            : Self.firstSaturated(chunk.bindMemory(to: UInt32.self), exponent: 0x7F80_0000)
        guard let index else { return nil }
        let bytes = layout.type.traits.unitBytes / PanelLayout.rowsPerPanel
        return "the value at its byte \(offset + index * bytes) is infinite or no number, expected a finite number"
    }

    /// First value with all exponent bits set. The usual answer, none, comes from a loop without branches.
    private static func firstSaturated<Bits: FixedWidthInteger & UnsignedInteger>(
        _ values: UnsafeBufferPointer<Bits>, exponent: Bits
    ) -> Int? {
        var any = false
        for value in values { any = any || value & exponent == exponent }
        return any ? values.firstIndex { $0 & exponent == exponent } : nil
    }
}
