import CKernels

/// What happens between the matrix products. Same bits on every instruction set.
extension KernelSet {
    package typealias Floats = UnsafeMutablePointer<Float>

    /// out = x / sqrt(mean(x^2) + epsilon) * weight; `out` may be `x`.
    package func rmsNorm(_ x: UnsafePointer<Float>, weight: UnsafePointer<Float>, count: Int, epsilon: Float, into out: Floats) {
        table.pointee.rms_norm(x, weight, Int64(count), epsilon, out)
    }

    /// x += y
    package func add(_ y: UnsafePointer<Float>, to x: Floats, count: Int) { table.pointee.add(x, y, Int64(count)) }

    /// gate = silu(gate) * up
    package func swiglu(gate: Floats, up: UnsafePointer<Float>, count: Int) { table.pointee.swiglu(gate, up, Int64(count)) }

    /// Turns the pairs (i, i + half) of one head by angles given as cosines and sines [half].
    package func rotate(_ head: Floats, cosines: UnsafePointer<Float>, sines: UnsafePointer<Float>, half: Int) {
        table.pointee.rotate(head, cosines, sines, Int64(half))
    }

    /// f32 to fp16, nearest even.
    package func narrow(_ x: UnsafePointer<Float>, count: Int, into out: UnsafeMutablePointer<UInt16>) {
        table.pointee.narrow_f16(x, Int64(count), out)
    }

    /// The largest of the values, of which none is NaN.
    package func largest(_ x: UnsafePointer<Float>, count: Int) -> Float {
        precondition(count >= 1, "the largest of nothing")
        return table.pointee.largest(x, Int64(count))
    }

    /// out = exp((x - largest) scale); relative error below 2e-7, 0 where the result is below exp(-87).
    ///
    /// - Parameter largest: no x is above it.
    /// - Returns: the sum of `out`, which may be `x`.
    package func exponentials(_ x: UnsafePointer<Float>, count: Int, largest: Float, scale: Float, into out: Floats) -> Double {
        precondition(count >= 0 && scale > 0 && scale.isFinite && largest.isFinite, "\(count) values, scale \(scale), largest \(largest)")
        return table.pointee.exponentials(x, Int64(count), largest, scale, out)
    }

    /// log(sum(exp(x))) in double precision.
    package func logSumExp(_ x: UnsafePointer<Float>, count: Int) -> Double {
        precondition(count >= 1, "log-sum-exp of nothing")
        var largest: Float = 0
        var logSum = 0.0
        table.pointee.log_sum_exp(x, Int64(count), &largest, &logSum)
        return Double(largest) + logSum
    }

    /// Kullback-Leibler divergence p || q in nats of two distributions given by logits and the log of the sum of their exponentials.
    package func klDivergence(
        _ p: UnsafePointer<Float>, logSum pLogSum: Double, from q: UnsafePointer<Float>, logSum qLogSum: Double, count: Int
    ) -> Double {
        table.pointee.kl_divergence(p, Float(pLogSum), q, Float(qLogSum), Int64(count))
    }

    /// Reads memory once and returns a checksum: the yardstick for decoding speed.
    package static func readMemory(_ bytes: UnsafeRawBufferPointer) -> UInt64 { ck_read_memory(bytes.baseAddress, Int64(bytes.count)) }
}
