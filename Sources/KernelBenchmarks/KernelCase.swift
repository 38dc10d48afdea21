import Kernels

/// One kernel on one kind of data, ready to be timed.
struct KernelCase {
    /// What `--kernel` looks for its words in: kernel, type and size.
    let name: String
    /// Bytes that a call reads and writes; for matrix products the weights alone. 0 where no bandwidth makes sense.
    let bytes: Int
    /// Arithmetic operations of a call, a multiplication with its addition counting as two; 0 where nobody counts them.
    let operations: Int
    /// Allocates and fills the data, which lives as long as the function that comes back: one call of the kernel.
    let prepare: () -> (KernelSet) -> Void

    init(_ name: String, bytes: Int = 0, operations: Int = 0, prepare: @escaping () -> (KernelSet) -> Void) {
        self.name = name
        self.bytes = bytes
        self.operations = operations
        self.prepare = prepare
    }

    /// Every case of every family, in the order of the table.
    static func all(_ sizes: KernelSizes) -> [KernelCase] {
        MatrixProductCases.cases(sizes) + ActivationCases.cases(sizes) + AttentionCases.cases(sizes) + PanelCodingCases.cases(sizes)
            + YardstickCases.cases(sizes)
    }
}

/// Sizes that the cases share.
struct KernelSizes {
    /// Columns of matrices and length of activations.
    var columns = 2048
    var headSize = 64
    var keyValueHeads = 4
    /// Tokens of the matrix products.
    var tokens = [1, 2, 4, 8, 16, 64, 256]
    /// Positions of the attention.
    var positions = [16, 128, 512, 2048]
    /// Fits into the second-level cache of the processors of today.
    let cachedBytes = 256 << 10
    /// Larger than the last-level cache.
    var streamedBytes = 192 << 20
}
