import CKernels
import Glibc

/// Room for the activations of up to `tokens` tokens as the matrix products read them: int8 with one scale per 32 columns, and floats for
/// unquantized matrices.
///
/// *Kernels*: a row that was quantized with a set of kernels is for products of that set.
///
/// *Threads*: rows, and parts of rows that are multiples of 32 columns, may be filled by different threads; a product reads all of them.
package final class ActivationRows: @unchecked Sendable {  // Safe: plain memory; callers keep writers and readers apart by barriers.
    package let view: ActivationView
    package var tokens: Int { view.tokens }
    package var columns: Int { view.columns }
    package var padded: Int { view.padded }

    package init(tokens: Int, columns: Int, floats: Bool = true) {
        precondition(tokens > 0 && columns > 0, "\(tokens) tokens of \(columns) columns")
        let padded = (columns + 127) / 128 * 128
        // An odd number of cache lines: with rows a power of two apart, a column of tokens would share a few of a cache's sets.
        let stride = padded + 64
        func allocate<Element>(_ count: Int) -> UnsafeMutablePointer<Element> {
            let bytes = (count * MemoryLayout<Element>.stride + 63) / 64 * 64
            let memory = aligned_alloc(64, bytes)!
            memset(memory, 0, bytes)
            return memory.assumingMemoryBound(to: Element.self)
        }
        let raw = UnsafeMutablePointer<ck_activations>.allocate(capacity: 1)
        let values: UnsafeMutablePointer<Float>? = floats ? allocate(tokens * padded) : nil
        let codes: UnsafeMutablePointer<Int8> = allocate(tokens * stride)
        let biased: UnsafeMutablePointer<UInt8> = allocate(tokens * stride)
        // Padding columns are zeros, which is 128 in the biased form.
        memset(biased, 128, tokens * stride)
        let scales: UnsafeMutablePointer<Float> = allocate(tokens * padded / 32)
        let sums: UnsafeMutablePointer<Int32> = allocate(tokens * padded / 16)
        let lanes: UnsafeMutablePointer<UInt8> = allocate(min(tokens, Int(CK_FEW_TOKENS)) * padded / 32 * Int(CK_LANE_BYTES))
        raw.initialize(
            to: ck_activations(x: values, q: codes, scale: scales, sum: sums, u: biased, lanes: lanes, padded: Int64(padded), stride: Int64(stride)))
        view = ActivationView(
            tokens: tokens, columns: columns, padded: padded, stride: stride, raw: raw, values: values, codes: codes, biased: biased, scales: scales, sums: sums,
            lanes: lanes)
    }

    deinit {
        free(view.values)
        free(view.codes)
        free(view.biased)
        free(view.scales)
        free(view.sums)
        free(view.lanes)
        view.raw.deallocate()
    }

    /// The float row of a token, `padded` long; values from `columns` on stay zero.
    package func row(_ token: Int) -> UnsafeMutablePointer<Float> { view.row(token) }

    /// Makes the int8 form of a token's float row.
    package func quantize(_ token: Int, with kernels: KernelSet) { view.quantize(token, columns: 0..<columns, from: row(token), with: kernels) }
}

/// The addresses inside an `ActivationRows`, which must outlive it: copied without counting references.
package struct ActivationView: @unchecked Sendable {  // Safe: as `ActivationRows`.
    package let tokens, columns, padded: Int
    let stride: Int
    let raw: UnsafeMutablePointer<ck_activations>
    /// Nil when only the int8 form is kept.
    package let values: UnsafeMutablePointer<Float>?
    let codes: UnsafeMutablePointer<Int8>
    let biased: UnsafeMutablePointer<UInt8>
    let scales: UnsafeMutablePointer<Float>
    let sums: UnsafeMutablePointer<Int32>
    let lanes: UnsafeMutablePointer<UInt8>

    package func row(_ token: Int) -> UnsafeMutablePointer<Float> {
        precondition(token >= 0 && token < tokens && values != nil, "float row \(token) of \(tokens)")
        return values.unsafelyUnwrapped + token * padded
    }

    /// The int8 form of some columns of a token.
    ///
    /// - *Shapes*: `range` starts at a multiple of 32 and ends at one or at `columns`; `source` holds its values. The last part of a row also
    ///   fills the padding columns.
    package func quantize(_ token: Int, columns range: Range<Int>, from source: UnsafePointer<Float>, with kernels: KernelSet) {
        precondition(token >= 0 && token < tokens, "token \(token) of \(tokens)")
        precondition(range.lowerBound % 32 == 0 && range.upperBound <= columns && !range.isEmpty, "columns \(range) of \(columns)")
        precondition(range.upperBound % 32 == 0 || range.upperBound == columns, "columns \(range) end inside a block")
        let end = range.upperBound == columns ? padded : range.upperBound
        let at = token * stride + range.lowerBound, block = token * padded + range.lowerBound
        kernels.table.pointee.quantize_activations(
            source, Int64(range.count), Int64(end - range.lowerBound), codes + at, biased + at, scales + block / 32, sums + block / 16)
        if token < CK_FEW_TOKENS, let arrange = kernels.table.pointee.arrange {
            arrange(codes + at, Int64(end - range.lowerBound), lanes + block / 32 * Int(CK_LANE_BYTES))
        }
    }
}
