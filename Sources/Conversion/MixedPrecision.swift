package import Tensors

/// Chooses a storage type for each tensor so that the expected loss is small and the bytes stay within a budget.
///
/// The loss is modelled as a sum over the tensors of sensitivity x relative squared error, which holds while errors are small (linearity of
/// perplexity and divergence in the noise power: Malinovskii et al., "HIGGS", arXiv 2411.17525). Each tensor starts with its smallest type;
/// then always that step along a tensor's lower convex hull of loss over bytes is taken which saves most per byte. A few large tensors (embedding and
/// output head of a small model) would make that coarse, so for them every combination is tried.
package struct MixedPrecision: Sendable, Equatable {
    /// A type that a tensor may get.
    package struct Candidate: Sendable, Equatable {
        package var type: StorageType
        package var bytes: UInt64
        /// Sensitivity x relative squared error.
        package var loss: Double

        package init(type: StorageType, bytes: UInt64, loss: Double) {
            self.type = type
            self.bytes = bytes
            self.loss = loss
        }
    }

    /// For each tensor the position of its candidate.
    package let choices: [Int]
    package let bytes: UInt64
    package let loss: Double

    /// The fewest and the most bytes that a choice of candidates has.
    package static func range(of tensors: [[Candidate]]) -> ClosedRange<UInt64> {
        let least = tensors.reduce(0) { $0 + ($1.map(\.bytes).min() ?? 0) }
        let most = tensors.reduce(0) { total, candidates in
            total + (candidates.min { ($0.loss, $0.bytes) < ($1.loss, $1.bytes) }?.bytes ?? 0)
        }
        return least...max(least, most)
    }

    /// Nil when even the smallest candidates have more than `budget` bytes.
    ///
    /// - *Accuracy*: the same choice on every machine; ties go to the earlier tensor. Optimal for some budget, and at most the loss of one step away from
    ///   optimal for this one.
    /// - *Complexity*: O(n log n) steps for n tensors, then for each of at most 36 combinations O(n) and a few passes over what is left.
    package init?(_ tensors: [[Candidate]], budget: UInt64) {
        precondition(tensors.allSatisfy { !$0.isEmpty }, "every tensor needs a candidate")
        let search = Search(tensors)
        var best: (choices: [Int], bytes: UInt64, loss: Double)?
        for fixed in search.combinations() {
            guard let (choices, bytes) = search.fill(fixed, budget: budget) else { continue }
            let loss = zip(tensors, choices).reduce(0) { $0 + $1.0[$1.1].loss }
            if loss < best?.loss ?? .infinity { best = (choices, bytes, loss) }
        }
        guard let best else { return nil }
        (choices, bytes, loss) = best
    }

    /// Positions on the lower convex hull, by rising bytes and falling loss.
    static func hull(_ candidates: [Candidate]) -> [Int] {
        let order = candidates.indices.sorted { (candidates[$0].bytes, candidates[$0].loss, $0) < (candidates[$1].bytes, candidates[$1].loss, $1) }
        var hull: [Int] = []
        for index in order {
            let next = candidates[index]
            if let last = hull.last, next.loss >= candidates[last].loss { continue }
            while hull.count >= 2 {
                let (first, middle) = (candidates[hull[hull.count - 2]], candidates[hull[hull.count - 1]])
                let slope = (first.loss - middle.loss) * Double(next.bytes - first.bytes), chord = (first.loss - next.loss) * Double(middle.bytes - first.bytes)
                if slope > chord { break }
                hull.removeLast()
            }
            hull.append(index)
        }
        return hull
    }
}

/// The tables of one search.
private struct Search {
    typealias Candidate = MixedPrecision.Candidate
    let tensors: [[Candidate]]
    /// Positions of candidates on each tensor's hull.
    private let hulls: [[Int]]
    /// Along all hulls, the steepest first.
    private let steps: [(tensor: Int, position: Int, gain: Double)]
    /// Tensors that are tried in every combination.
    private let large: [Int]

    /// At most two tensors, each of at least a thirty-second of the bytes.
    private static let largest = 2, share: UInt64 = 32

    init(_ tensors: [[Candidate]]) {
        self.tensors = tensors
        let hulls = tensors.map(MixedPrecision.hull)
        var steps: [(tensor: Int, position: Int, gain: Double)] = []
        for (tensor, hull) in hulls.enumerated() {
            for position in hull.indices.dropFirst() {
                let (from, to) = (tensors[tensor][hull[position - 1]], tensors[tensor][hull[position]])
                steps.append((tensor, position, (from.loss - to.loss) / Double(to.bytes - from.bytes)))
            }
        }
        // Along a hull the gains fall, so a tensor's steps stay in order.
        steps.sort { ($1.gain, $0.tensor, $0.position) < ($0.gain, $1.tensor, $1.position) }
        let least = zip(tensors, hulls).map { $0[$1[0]].bytes }, total = least.reduce(0, +)
        large = Array(
            tensors.indices.filter { hulls[$0].count > 1 && least[$0] >= total / Self.share }.sorted { (least[$1], $0) < (least[$0], $1) }.prefix(Self.largest))
        (self.hulls, self.steps) = (hulls, steps)
    }

    /// Positions on their hulls for the large tensors.
    func combinations() -> [[Int: Int]] {
        large.reduce([[:]]) { all, tensor in
            all.flatMap { fixed in hulls[tensor].indices.map { position in fixed.merging([tensor: position]) { $1 } } }
        }
    }

    /// Nil when the least for the other tensors is more than the budget.
    func fill(_ fixed: [Int: Int], budget: UInt64) -> (choices: [Int], bytes: UInt64)? {
        var positions = tensors.indices.map { fixed[$0] ?? 0 }
        var choices = zip(hulls, positions).map { $0[$1] }
        var bytes = zip(tensors, choices).reduce(0) { $0 + $1.0[$1.1].bytes }
        guard bytes <= budget else { return nil }
        var isClosed = tensors.indices.map { fixed[$0] != nil }
        // Rounding may turn two steps of a tensor that are equally steep around; the later one then includes the earlier.
        for step in steps where !isClosed[step.tensor] && step.position > positions[step.tensor] {
            let (from, to) = (choices[step.tensor], hulls[step.tensor][step.position])
            let larger = bytes - tensors[step.tensor][from].bytes + tensors[step.tensor][to].bytes
            if larger <= budget {
                (choices[step.tensor], positions[step.tensor], bytes) = (to, step.position, larger)
            } else {
                isClosed[step.tensor] = true
            }
        }
        // What is left may do for a candidate off the hull.
        while let (tensor, candidate) = bestFilling(choices, room: budget - bytes) {
            bytes = bytes - tensors[tensor][choices[tensor]].bytes + tensors[tensor][candidate].bytes
            choices[tensor] = candidate
        }
        return (choices, bytes)
    }

    private func bestFilling(_ choices: [Int], room: UInt64) -> (Int, Int)? {
        var best: (tensor: Int, candidate: Int, gain: Double)?
        for (tensor, candidates) in tensors.enumerated() {
            let now = candidates[choices[tensor]]
            for (index, candidate) in candidates.enumerated() where candidate.loss < now.loss && candidate.bytes <= now.bytes + room {
                let gain = now.loss - candidate.loss
                if gain > best?.gain ?? 0 { best = (tensor, index, gain) }
            }
        }
        return best.map { ($0.tensor, $0.candidate) }
    }
}
