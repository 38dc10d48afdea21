import Architectures
import Kernels
import Quantization
import Safetensors
import StrictJSON
import Tensors

/// The source rows of a slab.
struct SourceRows {
    /// The shard's name.
    let file: String
    let tensor: CheckpointModel.Tensor
    let slab: Slab
    let bytes: UnsafeRawBufferPointer

    /// The first byte of the panel's first row.
    private func start(_ panel: Int) -> UnsafeRawPointer {
        bytes.baseAddress! + (panel - slab.panels.lowerBound) * PanelLayout.rowsPerPanel * tensor.columns * tensor.source.bytes
    }

    func encode(_ panel: Int, _ encoder: PanelEncoder, into out: UnsafeMutableRawPointer) throws(ConversionError) -> ErrorSums {
        do throws(NotFinite) { return try encoder.encode(panel: panel, rows: start(panel), sourceType: tensor.source, into: out) } catch {
            throw notFinite(error)
        }
    }

    /// All panels of the slab, with errors fed back.
    func encode(_ encoder: PanelEncoder, feedback: ErrorFeedback, into out: UnsafeMutableRawPointer) throws(ConversionError) -> [ErrorSums] {
        do throws(NotFinite) {
            return try encoder.encode(
                panels: slab.panels, rows: start(slab.panels.lowerBound), sourceType: tensor.source, feedback: feedback, into: out)
        } catch { throw notFinite(error) }
    }

    func measure(
        _ panel: Int, _ encoder: PanelEncoder, stored: UnsafeRawPointer, grids: [UInt8]
    ) throws(ConversionError) -> ErrorSums {
        do throws(NotFinite) {
            return try encoder.measure(panel: panel, rows: start(panel), sourceType: tensor.source, stored: stored, grids: grids)
        } catch { throw notFinite(error) }
    }

    private func notFinite(_ place: NotFinite) -> ConversionError {
        ConversionError(
            "\(file): \(name) \(at(place.row, place.column)) is \(shown(value(place.row, place.column))), expected a finite number; "
                + "the checkpoint is damaged or was not trained to an end: download it again or choose another")
    }

    /// The first value that the type cannot hold.
    func tooLarge(in panel: Int, for type: StorageType) -> ConversionError {
        let first = panel * PanelLayout.rowsPerPanel
        for row in first..<min(first + PanelLayout.rowsPerPanel, tensor.rows) {
            for column in 0..<tensor.columns where abs(value(row, column)) >= Self.fp16Limit {
                return ConversionError(
                    "\(file): \(name) \(at(row, column)) is \(value(row, column)), but \(type) holds at most 65504; convert with --type q8 instead")
            }
        }
        return ConversionError("\(file): tensor \(JSONString.quoted(tensor.found.name)): the error of rows \(first) and following is not finite")
    }

    /// From here on rounding to fp16 gives infinity.
    private static let fp16Limit: Float = 65520

    private var name: String { "tensor \(JSONString.quoted(tensor.found.name)): the value at" }
    private func at(_ row: Int, _ column: Int) -> String { tensor.expected.shape.count == 1 ? "[\(row)]" : "[\(row), \(column)]" }

    /// Whatever its payload, no number is "nan".
    private func shown(_ value: Float) -> String { value.isNaN ? "nan" : "\(value)" }

    private func value(_ row: Int, _ column: Int) -> Float {
        let index = (row - slab.panels.lowerBound * PanelLayout.rowsPerPanel) * tensor.columns + column
        switch tensor.source {
        case .f32: return bytes.loadUnaligned(fromByteOffset: 4 * index, as: Float.self)
        case .bf16: return Float(bitPattern: UInt32(bytes.loadUnaligned(fromByteOffset: 2 * index, as: UInt16.self)) << 16)
        case .f16:
            let bits = bytes.loadUnaligned(fromByteOffset: 2 * index, as: UInt16.self)
            if bits & 0x7C00 == 0x7C00 { return bits & 0x3FF != 0 ? .nan : bits & 0x8000 != 0 ? -.infinity : .infinity }
            // Never asked for: every finite fp16 value can be stored.
            return Float(sign: bits & 0x8000 != 0 ? .minus : .plus, exponent: Int(bits >> 10 & 31) - 15, significand: 1 + Float(bits & 0x3FF) / 1024)
        }
    }
}
