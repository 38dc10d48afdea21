import Generation
import Inference
import Kernels

/// What the machine could do, measured beside the model with the same threads.
enum Yardsticks {
    /// A sample takes at least this long, so that waking the threads does not count.
    static let shortest = Duration.milliseconds(150)

    /// Bytes per second at which the threads read what one token reads, and do nothing else: whole passes until the time is up.
    static func readBandwidth(_ model: LlamaModel, pool: WorkerPool) -> Double {
        let bytes = Double(ReadBandwidth.bytesPerToken(model))
        let clock = ContinuousClock()
        let start = clock.now
        var seconds = 0.0
        var passes = 0.0
        repeat {
            seconds += bytes / ReadBandwidth.measure(model, pool: pool, runs: 1)
            passes += 1
        } while clock.now - start < shortest
        return passes * bytes / seconds
    }

    /// Operations per second of int8 dot products on registers alone; a multiplication with its addition counts as two.
    static func int8Peak(_ kernels: KernelSet, pool: WorkerPool) -> Double {
        let chunks = pool.threads * 64
        let clock = ContinuousClock()
        let start = clock.now
        let perChunk = kernels.dotProductLoop(rounds: rounds)
        var operations = 0
        let measured = clock.now
        repeat {
            // Small chunks: a thread that stalls leaves little behind, as in the products.
            pool.forEachChunk(of: chunks, chunk: 1) { range, _ in
                for _ in range { _ = kernels.dotProductLoop(rounds: rounds) }
            }
            operations += chunks * perChunk
        } while clock.now - start < shortest
        return Double(operations) / (clock.now - measured).inSeconds
    }

    /// 10 microseconds' worth with AVX-512, milliseconds' with portable code.
    private static let rounds = 1024
}

extension Duration {
    var inSeconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}
