import ByteStorage
package import Inference
package import Kernels
import ModelFiles

/// The yardstick of decoding: how fast the same threads only read what one token reads.
package enum ReadBandwidth {
    /// Bytes of weights that one token reads: every layer and the output head, not the embedding.
    package static func bytesPerToken(_ model: LlamaModel) -> Int { model.weightRanges.reduce(0) { $0 + $1.count } }

    /// Best of `runs` passes over the mapped weights, in bytes per second.
    package static func measure(_ model: LlamaModel, pool: WorkerPool, runs: Int = 3) -> Double {
        let chunk = 1 << 20
        var pieces: [Range<Int>] = []
        for range in model.weightRanges {
            pieces += stride(from: range.lowerBound, to: range.upperBound, by: chunk).map { $0..<min($0 + chunk, range.upperBound) }
        }
        let clock = ContinuousClock()
        var best = Duration.seconds(1 << 30)
        for _ in 0..<runs {
            let start = clock.now
            pool.forEachChunk(of: pieces.count, chunk: 1) { indices, _ in
                for index in indices { _ = KernelSet.readMemory(UnsafeRawBufferPointer(rebasing: model.reader.mapping.bytes[pieces[index]])) }
            }
            best = min(best, clock.now - start)
        }
        return TextGenerator.Summary.perSecond(bytesPerToken(model), best)
    }
}
