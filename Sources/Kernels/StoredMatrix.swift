package import Tensors

/// A tensor's bytes in the layout of `Formats/StorageTypes.md`, ready for the kernels.
///
/// *Layout*: `bytes` is 64-byte aligned, `layout.byteCount` long and outlives this object; whoever made it keeps the mapping alive.
package final class StoredMatrix: @unchecked Sendable {  // Safe: nothing changes after init.
    package let layout: PanelLayout
    package let bytes: UnsafeRawPointer
    /// The 64 grid bytes, zeros where the type uses none.
    let grids: UnsafeMutablePointer<UInt8>

    package init(layout: PanelLayout, bytes: UnsafeRawBufferPointer, grids: [UInt8]) {
        precondition(bytes.count == layout.byteCount, "a \(layout.type) matrix of \(layout.rows) x \(layout.columns) has \(layout.byteCount) bytes, not \(bytes.count)")
        precondition(Int(bitPattern: bytes.baseAddress) % 64 == 0, "matrix bytes must be 64-byte aligned")
        precondition(grids.count == 64 || (grids.isEmpty && !layout.type.traits.usesGrids), "\(grids.count) grid bytes")
        self.layout = layout
        self.bytes = bytes.baseAddress!
        self.grids = .allocate(capacity: 64)
        self.grids.initialize(repeating: 0, count: 64)
        for (index, value) in grids.enumerated() { self.grids[index] = value }
    }

    deinit { grids.deallocate() }
}
