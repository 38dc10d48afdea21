import CKernels
import Glibc
package import Tensors

/// What encoding with error feedback needs to know of a matrix's input: for every column what its error costs, and what each later column takes of it.
/// `Formats` says nothing of it: it decides which values are stored, not how.
///
/// *Threads*: not changed after it was filled; read by all.
package final class ErrorFeedback: @unchecked Sendable {  // Safe: plain memory, filled before it is shared.
    package let padded: Int
    /// Columns that are fed back to each other; the last span may be shorter. 0: no feedback, weights alone.
    package let span: Int
    /// [padded]; positive.
    package let weights: UnsafeMutablePointer<Float>
    /// Per span, per 128 of its columns: [columns of the span up to their end][128].
    package let shares: UnsafeMutablePointer<Float>?

    /// A span must be a multiple of 256.
    package init(padded: Int, span: Int) {
        precondition(padded > 0 && padded % 128 == 0 && span >= 0 && (span % 256 == 0 || span == padded), "\(padded) columns in spans of \(span)")
        (self.padded, self.span) = (padded, span)
        weights = aligned_alloc(64, padded * 4)!.assumingMemoryBound(to: Float.self)
        weights.update(repeating: 1, count: padded)
        shares = span == 0 ? nil : aligned_alloc(64, Self.shareCount(padded: padded, span: span) * 4)!.assumingMemoryBound(to: Float.self)
    }

    deinit {
        free(weights)
        free(shares)
    }

    package var spans: Int { span == 0 ? 0 : (padded + span - 1) / span }
    package func columns(ofSpan index: Int) -> Range<Int> { index * span..<min(padded, (index + 1) * span) }

    /// Floats of the 128 columns that are number `strip` of a span: [128 (strip + 1)][128]; and of all before them.
    package func strip(_ strip: Int, ofSpan index: Int) -> UnsafeMutablePointer<Float> {
        shares! + index * Self.triangle(span) + Self.triangle(strip * 128)
    }

    private static func triangle(_ columns: Int) -> Int { columns / 128 * (columns / 128 + 1) / 2 * 128 * 128 }

    package static func shareCount(padded: Int, span: Int) -> Int {
        padded / span * triangle(span) + triangle(padded % span)
    }

    package var byteCount: Int { 4 * padded + (span == 0 ? 0 : 4 * Self.shareCount(padded: padded, span: span)) }
}

extension KernelSet {
    /// Floats of scratch that `encodeWithFeedback` needs.
    package static func feedbackScratch(panels: Int, padded: Int) -> Int { panels * (16 * padded + 2048 + 16) }

    /// Whether matrices of this type can be encoded with feedback.
    package func hasFeedback(for type: StorageType) -> Bool {
        withUnsafeBytes(of: table.pointee.encode_feedback) {
            $0.load(fromByteOffset: Int(type.rawValue) * MemoryLayout<ck_encode_feedback?>.stride, as: ck_encode_feedback?.self) != nil
        }
    }

    /// Transposed floats [panels][padded][16] to stored panels, `layout.panelBytes` apart.
    ///
    /// - *Shapes*: `scratch` holds `feedbackScratch` floats, 64-byte aligned, and its content matters neither before nor after.
    /// - *Accuracy*: the same bytes on every instruction set, and for any split into calls.
    package func encodeWithFeedback(
        _ floats: UnsafePointer<Float>, panels: Int, layout: PanelLayout, feedback: ErrorFeedback, grids: GridTables,
        scratch: UnsafeMutablePointer<Float>, into out: UnsafeMutableRawPointer
    ) {
        precondition(panels >= 1 && feedback.padded == layout.paddedColumns, "\(panels) panels of \(layout.paddedColumns) columns, feedback for \(feedback.padded)")
        Self.entry(table.pointee.encode_feedback, layout.type, as: ck_encode_feedback.self)(
            floats, Int64(panels), Int64(layout.paddedColumns), feedback.shares, Int64(feedback.span == 0 ? layout.paddedColumns : feedback.span),
            feedback.weights, grids.tables, scratch, out.assumingMemoryBound(to: UInt8.self), Int64(layout.panelBytes))
    }
}
