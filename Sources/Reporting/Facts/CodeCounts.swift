import Glibc
package import Tensors

/// How often each code, block scale and grid occurs in tensors of one storage type. Padding is not counted.
/// What the bytes mean: `Formats/StorageTypes.md`, section 2.2.
package struct CodeCounts: Sendable, Equatable {
    package let type: StorageType
    package let layout: CodeLayout
    /// By the stored code.
    package internal(set) var codes: [UInt64]
    /// By the stored scale; `layout.scale(at:)` says which number that is.
    package internal(set) var scales: [UInt64]
    /// By the number of the grid; empty for types without grids.
    package internal(set) var grids: [UInt64]
    package internal(set) var tensors = 0
    /// Panels that were read. Of each tensor every `stride`-th, beginning with the first.
    package internal(set) var panels = 0
    package internal(set) var panelsInAll = 0
    package let stride: Int

    package init(type: StorageType, layout: CodeLayout, stride: Int) {
        (self.type, self.layout, self.stride) = (type, layout, stride)
        codes = [UInt64](repeating: 0, count: 1 << layout.codeBits)
        scales = [UInt64](repeating: 0, count: 1 << layout.scaleBits)
        grids = [UInt64](repeating: 0, count: layout.gridCount)
    }

    /// Shannon's entropy in bits per symbol: what an ideal entropy coder would need.
    package static func entropy(_ counts: [UInt64]) -> Double {
        let total = Double(counts.reduce(0, &+))
        guard total > 0 else { return 0 }
        return max(0, counts.reduce(0) { sum, count in
            let share = Double(count) / total
            return share > 0 ? sum - share * log2(share) : sum
        })
    }
}
