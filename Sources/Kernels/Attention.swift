import CKernels

/// How the key-value cache stores its values.
package enum CacheElement: String, Sendable, CaseIterable {
    case f16, f32
    /// One byte per value and one f32 scale per 32 values of a position.
    case q8

    var code: Int32 { self == .f16 ? Int32(CK_CACHE_F16) : self == .f32 ? Int32(CK_CACHE_F32) : Int32(CK_CACHE_Q8) }
    package var bytes: Int { self == .f16 ? 2 : self == .f32 ? 4 : 1 }
}

/// The cache of one key-value head of one layer: where its parts lie. Layout: see `templates/attend.h` of the kernels.
package struct HeadCache: @unchecked Sendable {  // Safe: addresses only; writers of a position and its readers are kept apart by barriers.
    let raw: ck_cache_head

    /// The head size rounded up to a multiple of 32.
    package static func width(headSize: Int) -> Int { (headSize + 31) / 32 * 32 }

    /// Positions are stored in groups of 16.
    package static func padded(context: Int) -> Int { (context + 15) / 16 * 16 }

    /// Bytes for keys, values and their scales at `context` positions; a multiple of 64.
    package static func byteCount(context: Int, headSize: Int, element: CacheElement) -> Int {
        let values = padded(context: context) * width(headSize: headSize)
        return 2 * values * element.bytes + (element == .q8 ? 2 * values / 32 * 4 : 0)
    }

    /// `memory`: 64-byte aligned, `byteCount` long, zeros where nothing was stored yet.
    package init(memory: UnsafeMutableRawPointer, context: Int, headSize: Int, element: CacheElement) {
        let width = Self.width(headSize: headSize), values = Self.padded(context: context) * width
        let keyScales = element == .q8 ? (memory + 2 * values).assumingMemoryBound(to: Float.self) : nil
        raw = ck_cache_head(
            keys: memory, values: memory + values * element.bytes, key_scales: keyScales, value_scales: keyScales.map { $0 + values / 32 },
            size: Int64(headSize), width: Int64(width), element: element.code)
    }
}

/// Attention of queries over a head's positions, continued chunk by chunk.
///
/// *Layout*: most[query], sum[query], mix[query][width]; a fresh state has most = -infinity, the rest 0.
package struct AttentionState {
    package var most, sum, mix: UnsafeMutablePointer<Float>

    package init(most: UnsafeMutablePointer<Float>, sum: UnsafeMutablePointer<Float>, mix: UnsafeMutablePointer<Float>) {
        (self.most, self.sum, self.mix) = (most, sum, mix)
    }

    package func reset(count: Int, width: Int) {
        most.update(repeating: -.infinity, count: count)
        sum.update(repeating: 0, count: count)
        mix.update(repeating: 0, count: count * width)
    }
}

/// Same bits on every instruction set, and for a query the same bits whatever else is computed with it.
extension KernelSet {
    /// Positions whose softmax is computed at once. Work may be divided between threads at its multiples.
    package static let attentionChunk = Int(CK_ATTEND_CHUNK)

    /// Floats of scratch memory for `attend`, 64-byte aligned.
    package static func attentionScratch(width: Int) -> Int { Int(CK_ATTEND_SCRATCH_ROWS) * (2 * attentionChunk + width) }

    /// Writes one position's key and value, head size floats each.
    package func store(position: Int, key: UnsafePointer<Float>, value: UnsafePointer<Float>, in cache: HeadCache) {
        withUnsafePointer(to: cache.raw) { table.pointee.store_position($0, Int64(position), key, value) }
    }

    /// Continues the state of `count` queries [count][width] by the positions of `range`, each query up to its own `visible`.
    package func attend(
        queries: UnsafePointer<Float>, visible: UnsafePointer<Int32>, count: Int, positions range: Range<Int>, of cache: HeadCache, scale: Float,
        scratch: UnsafeMutablePointer<Float>, state: AttentionState
    ) {
        precondition(count >= 1 && range.lowerBound % Self.attentionChunk == 0, "\(count) queries, positions \(range)")
        withUnsafePointer(to: cache.raw) {
            table.pointee.attend(
                $0, queries, visible, Int64(count), Int64(range.lowerBound), Int64(range.upperBound), scale, scratch, state.most, state.sum, state.mix)
        }
    }

    /// Joins the state of the positions that follow: the same operations as `attend` does between chunks.
    package func merge(_ next: AttentionState, into state: AttentionState, count: Int, width: Int) {
        table.pointee.attend_merge(state.most, state.sum, state.mix, next.most, next.sum, next.mix, Int64(count), Int64(width))
    }

    /// Divides the mix by the sum of the weights: the attention's result, in `state.mix`.
    package func finish(_ state: AttentionState, count: Int, width: Int) {
        table.pointee.attend_finish(state.sum, state.mix, Int64(count), Int64(width))
    }
}
