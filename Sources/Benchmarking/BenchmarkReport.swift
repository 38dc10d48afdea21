import Architectures
import Generation
import Inference

/// How much one token asks of the machine.
package struct BenchmarkWork: Sendable, Equatable {
    /// All of the model's parameters, the embedding, the head and the norms among them.
    package var parameters: Int
    /// Those of the matrices that every token of a prompt is multiplied by: neither embedding, head nor norms.
    package var multipliedParameters: Int
    /// Bytes of weights that decoding reads for each token: the layers and the output head.
    package var weightBytes: Int
    /// Bytes that one position takes in the cache, in all layers.
    package var cacheBytesPerPosition: Int

    package init(parameters: Int, multipliedParameters: Int, weightBytes: Int, cacheBytesPerPosition: Int) {
        self.parameters = parameters
        self.multipliedParameters = multipliedParameters
        self.weightBytes = weightBytes
        self.cacheBytesPerPosition = cacheBytesPerPosition
    }

    init(_ model: LlamaModel, _ element: KeyValueCache.Element) {
        let shape = model.shape
        let (queries, keys) = (shape.heads * shape.headSize, shape.keyValueHeads * shape.headSize)
        self.init(
            parameters: model.configuration.parameterCount,
            multipliedParameters: shape.layers * shape.hidden * (2 * queries + 2 * keys + 3 * shape.inner),
            weightBytes: ReadBandwidth.bytesPerToken(model),
            cacheBytesPerPosition: KeyValueCache.bytesPerPosition(layers: shape.layers, heads: shape.keyValueHeads, headSize: shape.headSize, element: element))
    }

    /// Bytes that decoding `tokens` tokens from `depth` on reads per token, on average: the weights, and the keys and values of the positions
    /// before it and its own.
    package func bytesPerDecodedToken(depth: Int, tokens: Int) -> Double {
        Double(weightBytes) + Double(cacheBytesPerPosition) * (Double(depth) + Double(tokens + 1) / 2)
    }
}

/// What a benchmark found.
package struct BenchmarkReport: Sendable {
    /// What the threads can do with no model.
    package struct Yardstick: Sendable {
        package var threads: Int
        /// Bytes per second.
        package var readBandwidth: Spread
        /// Operations per second; a multiplication with its addition counts as two.
        package var int8Peak: Spread

        package init(threads: Int, readBandwidth: Spread, int8Peak: Spread) {
            self.threads = threads
            self.readBandwidth = readBandwidth
            self.int8Peak = int8Peak
        }
    }

    package struct Result: Sendable {
        package var item: BenchmarkCase
        /// Tokens per second.
        package var speed: Spread
        package var yardstick: Yardstick
        /// Of the read bandwidth (decode) or of the int8 peak with all parameters as work (prefill); both medians.
        package var fraction: Double
        /// Prefill: the fraction when only the parameters that every token is multiplied by count.
        package var fractionMultiplied: Double?
        /// Decode: bytes read per token, on average.
        package var bytesPerToken: Double?
    }

    /// In the order of the plan's cases.
    package let results: [Result]
    /// One for each number of threads, in the order of the plan.
    package let yardsticks: [Yardstick]
    package let work: BenchmarkWork

    /// `speeds` are those of the plan's cases, in their order.
    package init(plan: BenchmarkPlan, speeds: [Spread], yardsticks: [Yardstick], work: BenchmarkWork) {
        precondition(speeds.count == plan.cases.count, "\(speeds.count) speeds of \(plan.cases.count) cases")
        self.yardsticks = yardsticks
        self.work = work
        results = zip(plan.cases, speeds).map { item, speed in
            guard let yardstick = yardsticks.first(where: { $0.threads == item.threads }) else { preconditionFailure("no yardstick for \(item.threads) threads") }
            switch item.kind {
            case .prefill:
                let perParameter = 2 * speed.median / yardstick.int8Peak.median
                return Result(
                    item: item, speed: speed, yardstick: yardstick, fraction: Double(work.parameters) * perParameter,
                    fractionMultiplied: Double(work.multipliedParameters) * perParameter, bytesPerToken: nil)
            case .decode:
                let bytes = work.bytesPerDecodedToken(depth: item.depth, tokens: item.tokens)
                return Result(
                    item: item, speed: speed, yardstick: yardstick, fraction: bytes * speed.median / yardstick.readBandwidth.median,
                    fractionMultiplied: nil, bytesPerToken: bytes)
            }
        }
    }

    /// The yardstick of the largest number of threads.
    package var largestYardstick: Yardstick { yardsticks.max { $0.threads < $1.threads }! }
}
