import Glibc
import Kernels

/// The tokens that may still be chosen, with their logits, in the order of their ids.
///
/// All memory is taken at the start, 20 bytes per token of the vocabulary.
final class Candidates {
    private let capacity: Int
    private let kernels: KernelSet
    private(set) var count = 0
    /// The logits of the candidates: at first the caller's, then a copy of those that are left.
    private(set) var logits: UnsafePointer<Float>
    private let ids: UnsafeMutablePointer<Int32>
    private let kept, weights: UnsafeMutablePointer<Float>
    private let keys: UnsafeMutablePointer<UInt32>
    private let places: UnsafeMutablePointer<Int32>
    private var search = ThresholdSearch()
    /// Whether every token of the vocabulary is a candidate; then `ids` holds nothing.
    private var isWhole = true
    private var knownLargest: Float?

    init(capacity: Int, kernels: KernelSet) {
        self.capacity = capacity
        self.kernels = kernels
        ids = .allocate(capacity: capacity)
        kept = .allocate(capacity: capacity)
        weights = .allocate(capacity: capacity)
        keys = .allocate(capacity: capacity)
        places = .allocate(capacity: capacity)
        logits = UnsafePointer(kept)
    }

    deinit {
        ids.deallocate()
        kept.deallocate()
        weights.deallocate()
        keys.deallocate()
        places.deallocate()
    }

    /// Every token of the vocabulary; the logits stay where they are until the next call.
    func reset(to logits: UnsafePointer<Float>) {
        self.logits = logits
        count = capacity
        isWhole = true
        knownLargest = nil
    }

    /// The largest logit.
    var largest: Float {
        if let knownLargest { return knownLargest }
        let largest = kernels.largest(logits, count: count)
        knownLargest = largest
        return largest
    }

    /// Computes exp((logit - largest) / temperature) of each candidate.
    ///
    /// - Returns: the weights, valid until candidates are taken out, and their sum.
    func weigh(temperature: Float = 1) -> (weights: UnsafePointer<Float>, total: Double) {
        // At temperatures next to 0 only the largest is left.
        let total = kernels.exponentials(logits, count: count, largest: largest, scale: min(1 / temperature, 1e30), into: weights)
        return (UnsafePointer(weights), total)
    }

    // MARK: - Taking candidates out

    /// Keeps logits of at least `bound`.
    func keepLogits(atLeast bound: Float) { compact(values: logits, atLeast: bound) }

    /// Keeps the candidates whose weight is at least `bound`. The weights are those of the last `weigh`; they go along.
    func keepWeights(atLeast bound: Float) { compact(values: UnsafePointer(weights), atLeast: bound, withWeights: true) }

    /// Keeps the `number` likeliest; of equals those with the lowest ids.
    func keepLikeliest(_ number: Int) {
        guard number < count else { return }
        if let bound = lowerBound(number) { keepLogits(atLeast: bound) }
        for index in 0..<count { keys[index] = ThresholdSearch.key(logits[index]) }
        keep(search.find(UnsafePointer(keys), masses: nil, count: count, places: places, goal: Double(number)), masses: nil, goal: Double(number))
    }

    /// Keeps the likeliest until their weights reach `goal`. The weights are those of the last `weigh`.
    func keepLikeliest(untilWeightsReach goal: Double) {
        for index in 0..<count { keys[index] = ThresholdSearch.key(logits[index]) }
        keep(search.find(UnsafePointer(keys), masses: UnsafePointer(weights), count: count, places: places, goal: goal), masses: UnsafePointer(weights), goal: goal)
    }

    /// Keeps those with the least distance until their weights reach `goal`. The weights are those of the last `weigh`.
    func keepNearest(untilWeightsReach goal: Double, distance: (_ logit: Float) -> Float) {
        // Distances are not negative, so that their bits are in their order.
        for index in 0..<count { keys[index] = ~distance(logits[index]).bitPattern }
        keep(search.find(UnsafePointer(keys), masses: UnsafePointer(weights), count: count, places: places, goal: goal), masses: UnsafePointer(weights), goal: goal)
    }

    /// A logit that at least `number` candidates reach, without a look at each: of so many blocks' largest logits, the smallest. Of four times
    /// as many blocks, those that count are few.
    private func lowerBound(_ number: Int) -> Float? {
        let blocks = 4 * number
        guard count >= 16 * blocks else { return nil }
        let size = count / blocks
        for block in 0..<blocks { keys[block] = ThresholdSearch.key(kernels.largest(logits + block * size, count: size)) }
        return ThresholdSearch.value(search.find(UnsafePointer(keys), masses: nil, count: blocks, places: places, goal: Double(number)).key)
    }

    private func keep(_ threshold: ThresholdSearch.Threshold, masses: UnsafePointer<Float>?, goal: Double) {
        var sum = threshold.above, number = 0
        for index in 0..<count {
            // Equals are few; for the others no branch is to be guessed.
            let key = keys[index]
            var isKept = key > threshold.key
            if key == threshold.key, sum < goal {
                isKept = true
                sum += masses.map { Double($0[index]) } ?? 1
            }
            move(index, to: number)
            number += isKept ? 1 : 0
        }
        finish(number)
    }

    private func compact(values: UnsafePointer<Float>, atLeast bound: Float, withWeights: Bool = false) {
        var number = 0, index = 0
        while index < count {
            // Sixteen at a time are most often passed over.
            if index + 16 <= count {
                let sixteen = UnsafeRawPointer(values + index).loadUnaligned(as: SIMD16<Float>.self)
                if !any(sixteen .>= bound) {
                    index += 16
                    continue
                }
            }
            for index in index..<min(index + 16, count) {
                let isKept = values[index] >= bound
                if withWeights { weights[number] = weights[index] }
                move(index, to: number)
                number += isKept ? 1 : 0
            }
            index += 16
        }
        finish(number)
    }

    /// `number` is at most `index`, so that nothing is lost that is still to be looked at.
    private func move(_ index: Int, to number: Int) {
        ids[number] = isWhole ? Int32(index) : ids[index]
        kept[number] = logits[index]
    }

    private func finish(_ number: Int) {
        precondition(number > 0, "a filter kept nothing")
        count = number
        logits = UnsafePointer(kept)
        isWhole = false
        knownLargest = nil
    }

    // MARK: - The choice

    /// The candidate at which the sum of the weights passes `uniform` of their total.
    ///
    /// - Parameter uniform: in 0 ..< 1.
    func draw(temperature: Float, uniform: Double) -> Int32 {
        let (weights, total) = weigh(temperature: temperature)
        var rest = uniform * total, index = 0
        // The sum of sixteen tells whether to look into them.
        while index + 16 <= count {
            let sum = Double(UnsafeRawPointer(weights + index).loadUnaligned(as: SIMD16<Float>.self).sum())
            if rest < sum { break }
            rest -= sum
            index += 16
        }
        var last = -1
        while index < count {
            if weights[index] > 0 {
                last = index
                rest -= Double(weights[index])
                if rest < 0 { break }
            }
            index += 1
        }
        // Rounding may carry `rest` past the end.
        if last < 0 { last = (0..<count).last { weights[$0] > 0 } ?? 0 }
        return isWhole ? Int32(last) : ids[last]
    }

    /// Candidates that `draw` may choose, with the probability of each.
    func probabilities(temperature: Float) -> [(id: Int32, probability: Double)] {
        let (weights, total) = weigh(temperature: temperature)
        return (0..<count).filter { weights[$0] > 0 }.map { (isWhole ? Int32($0) : ids[$0], Double(weights[$0]) / total) }
    }
}

/// A step that takes candidates out. It keeps at least one.
protocol CandidateFilter {
    func apply(to candidates: Candidates)
}
