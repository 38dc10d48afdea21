import Glibc
import Kernels

/// The filled positions as bytes, for a file. Order and layout: Formats/SessionFile.md, section 6.
extension KeyValueCache {
    /// One array of a head: contiguous bytes per group of 16 positions.
    private struct Part {
        var offset: Int
        var bytesPerGroup: Int
        /// Bytes of one position where it is one of 16 lanes, [...][16]; nil where positions are rows, [16][...].
        var laneBytes: Int?
        var isFloat: Bool
    }

    private var parts: [Part] {
        let width = HeadCache.width(headSize: headSize)
        let group = 16 * width * element.bytes, values = HeadCache.padded(context: context) * width
        let isFloat = element != .q8
        var parts = [
            Part(offset: 0, bytesPerGroup: group, laneBytes: element.bytes, isFloat: isFloat),
            Part(offset: values * element.bytes, bytesPerGroup: group, laneBytes: nil, isFloat: isFloat),
        ]
        if element == .q8 {
            let scales = 16 * width / 32 * 4
            parts.append(Part(offset: 2 * values, bytesPerGroup: scales, laneBytes: 4, isFloat: true))
            parts.append(Part(offset: 2 * values + values / 32 * 4, bytesPerGroup: scales, laneBytes: 4, isFloat: true))
        }
        return parts
    }

    /// Bytes of `positions` positions in whole groups of 16. The caller has checked that the numbers are those of a possible cache.
    package func savedBytes(positions: Int) -> Int {
        layers * heads * HeadCache.byteCount(context: positions, headSize: headSize, element: element)
    }

    /// Gives the bytes of the filled positions, piece by piece. What the last group holds from a text that was dropped is given as zero.
    package func forEachSavedPiece<Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Void
    ) throws(Failure) {
        let (whole, rest) = (count / 16, count % 16)
        let parts = parts
        let last = UnsafeMutableRawBufferPointer.allocate(byteCount: parts.map(\.bytesPerGroup).max()!, alignment: 64)
        defer { last.deallocate() }
        for index in 0..<layers * heads {
            let head = headMemory(index)
            for part in parts {
                let start = head + part.offset
                if whole > 0 { try body(UnsafeRawBufferPointer(start: start, count: whole * part.bytesPerGroup)) }
                guard rest > 0 else { continue }
                memcpy(last.baseAddress!, start + whole * part.bytesPerGroup, part.bytesPerGroup)
                if let lane = part.laneBytes {
                    for row in stride(from: 0, to: part.bytesPerGroup, by: 16 * lane) { memset(last.baseAddress! + row + rest * lane, 0, (16 - rest) * lane) }
                } else {
                    let row = part.bytesPerGroup / 16
                    memset(last.baseAddress! + rest * row, 0, (16 - rest) * row)
                }
                try body(UnsafeRawBufferPointer(start: last.baseAddress!, count: part.bytesPerGroup))
            }
        }
    }

    /// Empties the cache and lets `fill` write the bytes of `positions` positions, piece by piece in the order of `forEachSavedPiece`. They count
    /// after `restore(to:)`.
    ///
    /// - Parameter fill: gets each piece to fill.
    /// - Returns: whether every float is finite; the pieces after one that is not are not asked for.
    package func fillSavedPieces<Failure: Error>(
        positions: Int, _ fill: (UnsafeMutableRawBufferPointer) throws(Failure) -> Void
    ) throws(Failure) -> Bool {
        precondition(positions >= 0 && positions <= context, "\(positions) positions in a context of \(context)")
        truncate(to: 0)
        let groups = (positions + 15) / 16
        guard groups > 0 else { return true }
        for index in 0..<layers * heads {
            for part in parts {
                let piece = UnsafeMutableRawBufferPointer(start: headMemory(index) + part.offset, count: groups * part.bytesPerGroup)
                try fill(piece)
                if part.isFloat, !isFinite(UnsafeRawBufferPointer(piece)) { return false }
            }
        }
        return true
    }

    private func isFinite(_ bytes: UnsafeRawBufferPointer) -> Bool {
        if element == .f16 {
            var largest: UInt16 = 0
            for value in bytes.bindMemory(to: UInt16.self) { largest = max(largest, value & 0x7FFF) }
            return largest < 0x7C00
        }
        var largest: UInt32 = 0
        for value in bytes.bindMemory(to: UInt32.self) { largest = max(largest, value & 0x7FFF_FFFF) }
        return largest < 0x7F80_0000
    }
}
