import CKernels

extension KernelSet {
    /// A yardstick for the matrix products: their int8 dot products on registers alone.
    ///
    /// - Parameter rounds: of 6144 operations each; a multiplication with its addition counts as two.
    /// - Returns: the operations done.
    package func dotProductLoop(rounds: Int) -> Int {
        precondition(rounds >= 0, "\(rounds) rounds")
        return Int(table.pointee.dot_peak(Int64(rounds)))
    }
}
