import CKernels
import Glibc

/// Room for the activations of up to `tokens` tokens as the matrix products read them: floats, and int8 with one scale per 32.
///
/// *Threads*: rows may be filled by different threads; a product reads all of them.
package final class ActivationRows: @unchecked Sendable {  // Safe: plain memory; callers keep writers and readers apart by barriers.
    package let tokens: Int
    package let columns: Int
    package let padded: Int
    package let values: UnsafeMutablePointer<Float>
    let codes: UnsafeMutablePointer<Int8>
    let scales: UnsafeMutablePointer<Float>
    let sums: UnsafeMutablePointer<Int32>

    package init(tokens: Int, columns: Int) {
        precondition(tokens > 0 && columns > 0, "\(tokens) tokens of \(columns) columns")
        self.tokens = tokens
        self.columns = columns
        padded = (columns + 127) / 128 * 128
        values = Self.allocate(tokens * padded)
        codes = Self.allocate(tokens * padded)
        scales = Self.allocate(tokens * padded / 32)
        sums = Self.allocate(tokens * padded / 16)
    }

    deinit {
        free(values)
        free(codes)
        free(scales)
        free(sums)
    }

    private static func allocate<Element>(_ count: Int) -> UnsafeMutablePointer<Element> {
        let bytes = (count * MemoryLayout<Element>.stride + 63) / 64 * 64
        let memory = aligned_alloc(64, bytes)!
        memset(memory, 0, bytes)
        return memory.assumingMemoryBound(to: Element.self)
    }

    /// The float row of a token, `padded` long; values from `columns` on stay zero.
    package func row(_ token: Int) -> UnsafeMutablePointer<Float> {
        precondition(token >= 0 && token < tokens, "token \(token) of \(tokens)")
        return values + token * padded
    }

    /// Makes the int8 form of a token's float row.
    package func quantize(_ token: Int, with kernels: KernelSet) {
        kernels.table.pointee.quantize_activations(
            row(token), Int64(columns), Int64(padded), codes + token * padded, scales + token * (padded / 32), sums + token * (padded / 16))
    }
}
