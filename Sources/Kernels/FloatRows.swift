import CKernels
import Glibc

/// Floats of up to `tokens` tokens as `multiplyFloats` reads them: groups of 12 tokens side by side, [token / 12][column][12].
///
/// *Threads*: different tokens may be stored by different threads; a product reads all of them.
package final class FloatRows: @unchecked Sendable {  // Safe: plain memory; callers keep writers and readers apart.
    package static let group = Int(CK_GROUP_TOKENS)

    package let tokens: Int
    package let columns: Int
    /// [group][column][12]; places of a last group without a token hold numbers.
    package let groups: UnsafeMutablePointer<Float>

    package init(tokens: Int, columns: Int) {
        precondition(tokens > 0 && columns > 0, "\(tokens) tokens of \(columns) columns")
        (self.tokens, self.columns) = (tokens, columns)
        let bytes = ((tokens + Self.group - 1) / Self.group * Self.group * columns * 4 + 63) / 64 * 64
        let memory = aligned_alloc(64, bytes)!
        memset(memory, 0, bytes)
        groups = memory.assumingMemoryBound(to: Float.self)
    }

    deinit { free(groups) }

    /// Where column 0 of a token lies; the next column is 12 floats on.
    package func place(_ token: Int) -> UnsafeMutablePointer<Float> {
        precondition(token >= 0 && token < tokens, "token \(token) of \(tokens)")
        let (group, lane) = token.quotientAndRemainder(dividingBy: Self.group)
        return groups + group * Self.group * columns + lane
    }

    /// `count` values of a token, from column `first` on.
    package func store(_ values: UnsafePointer<Float>, count: Int, token: Int, first: Int = 0) {
        precondition(first >= 0 && count >= 0 && first + count <= columns, "columns \(first) ..< \(first + count) of \(columns)")
        let place = place(token) + first * Self.group
        for column in 0..<count { place[column * Self.group] = values[column] }
    }
}

extension KernelSet {
    /// out[token][16 panel + row] = sum over columns of panel[column][row] x[token][column], or that added to what is there.
    ///
    /// - *Shapes*: `panels` holds `count` panels [columns][16], `panelStride` floats apart; `x` holds groups [token / 12][columns][12];
    ///   `out` has `stride` floats between tokens and room for whole panels.
    /// - *Threads*: calls with disjoint `out` may run at once.
    /// - *Accuracy*: f32; sums of 256 columns by fused multiply-add, added in order. The same bits on every instruction set and for any split
    ///   into panels or tokens.
    package func multiplyFloats(
        panels: UnsafePointer<Float>, count: Int, panelStride: Int, columns: Int, by x: UnsafePointer<Float>, tokens: Int, accumulate: Bool = false,
        into out: UnsafeMutablePointer<Float>, stride: Int
    ) {
        precondition(count >= 1 && columns >= 1 && panelStride >= 16 * columns && tokens >= 1 && stride >= 16 * count, "\(count) panels, \(columns) columns")
        table.pointee.float_product(panels, Int64(count), Int64(panelStride), Int64(columns), x, Int64(tokens), accumulate ? 1 : 0, out, Int64(stride))
    }
}
