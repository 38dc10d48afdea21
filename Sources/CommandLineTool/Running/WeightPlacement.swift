import ByteStorage
import Conversion
import HostFacts
import Inference
import ModelFiles

/// Where a model's weights are kept: in memory, locked there, or read from disk in every pass as far as memory does not hold them.
struct WeightPlacement {
    private let residentBytes: Int?
    private let locks: Bool

    /// As much in memory as is free, nothing locked.
    init() { (residentBytes, locks) = (nil, false) }

    init(_ options: RunningOptions) {
        residentBytes = options.resident.map { Int($0 * 1e9) }
        locks = options.lock
    }

    /// Room for the pages that a pass touches beside weights and cache, and for other programs.
    private static let smallestReserve = 256 << 20

    func plan(for model: LlamaModel, context: Int, element: KeyValueCache.Element) -> ResidencyPlan {
        let units = model.weightRanges.map(\.count)
        if let residentBytes { return ResidencyPlan(unitBytes: units, budget: residentBytes) }
        let memory = MachineMemory()
        let shape = model.shape
        let cache = KeyValueCache.byteCount(
            layers: shape.layers, heads: shape.keyValueHeads, headSize: shape.headSize, context: context, element: element)
        let reserve = max(Self.smallestReserve, Int(clamping: memory.limit) / 16)
        let budget = max(0, Int(clamping: memory.obtainable) - reserve) - cache
        return ResidencyPlan(unitBytes: units, budget: max(0, budget))
    }

    /// Locks what is to be locked; returns what reads the rest.
    func apply(_ plan: ResidencyPlan, to model: LlamaModel) throws -> WeightStream? {
        if locks {
            guard !plan.streams || residentBytes != nil else {
                throw ConversionError(Self.doesNotFit(path: model.reader.path, plan))
            }
            let mapping = model.reader.mapping
            mapping.preferHugePages()
            let kept = zip(model.weightRanges, plan.isResident).filter(\.1).map(\.0)
            // In one piece, so that a limit shows before anything is read.
            let pieces = plan.streams ? kept : [kept.map(\.lowerBound).min()!..<kept.map(\.upperBound).max()!]
            for range in pieces { try mapping.lock(range) }
        }
        return plan.streams ? WeightStream(plan: plan, units: model.weightRanges, reader: model.reader) : nil
    }

    static func doesNotFit(path: String, _ plan: ResidencyPlan) -> String {
        let largest = Quantities.fixed(Double(plan.residentBytes) / 1e9, 1)
        return "\(path): --lock: \(Quantities.bytes(UInt64(plan.totalBytes))) of weights do not fit the free memory; leave --lock out, or give "
            + "--resident \(largest) to lock about that much and read the rest from disk"
    }

    /// nil when everything is in memory and nothing is locked.
    func describe(_ plan: ResidencyPlan) -> String? {
        let total = Quantities.bytes(UInt64(plan.totalBytes))
        if !plan.streams { return locks ? "weights: \(total), locked in memory" : nil }
        return "weights: \(Quantities.bytes(UInt64(plan.residentBytes))) of \(total) stay in memory\(locks ? ", locked" : ""); "
            + "\(Quantities.bytes(UInt64(plan.streamedBytes))) are read from disk in every pass, "
            + "\(Quantities.bytes(UInt64(plan.windowBytes))) ahead at most"
    }
}
