package import Architectures
package import ModelFiles

/// Second moments of one input of linear layers, and where they lie in the file.
package struct CalibrationEntry: Sendable, Equatable {
    package enum Form: UInt32, Sendable {
        /// mean x[k]^2: K values.
        case diagonal = 1
        /// mean x[i] x[j], j >= i: K (K + 1) / 2 values, row after row.
        case hessian = 2
    }

    package var input: LinearInput
    /// Nil for the output head.
    package var layer: Int?
    package var columns: Int
    package var form: Form
    package var offset: UInt64 = 0
    package var tokens: UInt64 = 1
    package var sha256 = Digest32([UInt8](repeating: 0, count: 32))

    package init(input: LinearInput, layer: Int?, columns: Int, form: Form) {
        precondition((layer == nil) == (input == .outputHead), "\(input) in layer \(layer ?? -1)")
        precondition((1...Self.mostColumns).contains(columns), "\(columns) columns")
        (self.input, self.layer, self.columns, self.form) = (input, layer, columns, form)
    }

    static let byteCount = 96
    static let mostColumns = 1 << 24
    static let mostLayers = 1024

    package var values: Int { form == .diagonal ? columns : columns * (columns + 1) / 2 }
    package var bytes: UInt64 { UInt64(values) * 4 }

    /// The order of the table.
    var rank: (UInt32, UInt32, UInt32) { (layer.map { UInt32($0) } ?? .max, input.rawValue, form.rawValue) }

    package var description: String { "\(input)\(layer.map { " of layer \($0)" } ?? ""), \(form == .diagonal ? "diagonal" : "Hessian")" }

    /// The entries of a model in file order: the diagonals of every input, and Hessians of those asked for.
    package static func all(of configuration: LlamaConfiguration, hessians: (LinearInput) -> Bool) -> [CalibrationEntry] {
        func entries(_ input: LinearInput, _ layer: Int?) -> [CalibrationEntry] {
            let columns = input.columns(configuration)
            return [CalibrationEntry(input: input, layer: layer, columns: columns, form: .diagonal)]
                + (hessians(input) ? [CalibrationEntry(input: input, layer: layer, columns: columns, form: .hessian)] : [])
        }
        return (0..<configuration.layers).flatMap { layer in LinearInput.ofLayer.flatMap { entries($0, layer) } } + entries(.outputHead, nil)
    }

    // MARK: Bytes. Authority: Formats/CalibrationFile.md, section 4

    func encoded() -> [UInt8] {
        var out = [UInt8](repeating: 0, count: Self.byteCount)
        out.store(input.rawValue, at: 0)
        out.store(layer.map { UInt32($0) } ?? UInt32.max, at: 4)
        out.store(UInt32(columns), at: 8)
        out.store(form.rawValue, at: 12)
        out.store(offset, at: 16)
        out.store(bytes, at: 24)
        out.store(tokens, at: 32)
        out.replaceSubrange(64..<96, with: sha256.bytes)
        return out
    }

    /// `fail` makes an error of what is wrong.
    init(_ raw: UnsafeRawBufferPointer, fail: (String) -> CalibrationFileError) throws(CalibrationFileError) {
        let code = raw.u32(0), place = raw.u32(4), columns = raw.u32(8), shape = raw.u32(12)
        guard let input = LinearInput(rawValue: code) else { throw fail("input is \(code), expected 1 ... \(LinearInput.allCases.count)") }
        guard let form = Form(rawValue: shape) else { throw fail("form is \(shape), expected 1 or 2") }
        guard input == .outputHead ? place == .max : place < UInt32(Self.mostLayers) else {
            throw fail("layer is \(place) for \(input), expected \(input == .outputHead ? "\(UInt32.max)" : "0 ... \(Self.mostLayers - 1)")")
        }
        guard (1...UInt32(Self.mostColumns)).contains(columns) else { throw fail("columns is \(columns), expected 1 ... \(Self.mostColumns)") }
        self.init(input: input, layer: input == .outputHead ? nil : Int(place), columns: Int(columns), form: form)
        offset = raw.u64(16)
        tokens = raw.u64(32)
        guard raw.u64(24) == bytes else { throw fail("bytes is \(raw.u64(24)), expected \(bytes) for \(columns) columns") }
        guard tokens >= 1 else { throw fail("tokens is 0, expected at least 1") }
        guard raw[40..<64].allSatisfy({ $0 == 0 }) else { throw fail("a reserved byte is not 0") }
        sha256 = Digest32(raw[64..<96])
    }
}

extension UnsafeRawBufferPointer {
    /// The caller has checked that the field lies inside.
    func u32(_ offset: Int) -> UInt32 { UInt32(littleEndian: loadUnaligned(fromByteOffset: offset, as: UInt32.self)) }
    func u64(_ offset: Int) -> UInt64 { UInt64(littleEndian: loadUnaligned(fromByteOffset: offset, as: UInt64.self)) }
}

extension [UInt8] {
    mutating func store<T: FixedWidthInteger>(_ value: T, at offset: Int) {
        Swift.withUnsafeBytes(of: value.littleEndian) { replaceSubrange(offset..<offset + $0.count, with: $0) }
    }
}
