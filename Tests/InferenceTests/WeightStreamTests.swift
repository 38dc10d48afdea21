import ByteStorage
import Generation
import Glibc
import Inference
import Tensors
import Testing
import Tokenization

/// Which weights stay, in what pieces the rest is read, and that neither changes a logit.
@Suite struct WeightStreamTests {
    @Test func everythingStaysWhereItFits() {
        for (units, budget) in [([10, 10, 5], 25), ([10, 10, 5], 1000), ([], 0), ([0], 0)] {
            let plan = ResidencyPlan(unitBytes: units, budget: budget)
            #expect(!plan.streams && plan.isResident == units.map { _ in true } && plan.windowBytes == 0)
            #expect(plan.residentBytes == units.reduce(0, +))
        }
    }

    @Test func theRestIsSpreadEvenly() {
        // 80 layers of 10 and a head of 6; the window takes 20.
        let units = [Int](repeating: 10, count: 80) + [6]
        let half = ResidencyPlan(unitBytes: units, budget: 426)
        #expect(half.isResident == (0..<80).map { $0 % 2 == 1 } + [true])
        #expect(half.residentBytes == 406 && half.streamedBytes == 400 && half.windowBytes == 20)
        #expect(ResidencyPlan(unitBytes: units, budget: 425).residentBytes == 396)
        let most = ResidencyPlan(unitBytes: units, budget: 805)
        #expect(most.isResident.filter { !$0 }.count == 3 && most.isResident.last == true)
    }

    @Test func awkwardBudgets() {
        let units = [7, 1, 100, 3, 3, 3, 40]
        for budget in 0..<200 {
            let plan = ResidencyPlan(unitBytes: units, budget: budget)
            #expect(plan.totalBytes == 157 && plan.isResident.count == 7)
            #expect(plan.streams == (budget < 157))
            if plan.streams { #expect(plan.windowBytes == 200 && plan.residentBytes == 0) }
        }
        // Uneven layers: what is kept stays below the budget.
        let uneven = (0..<31).map { 5 + $0 * 7 % 11 } + [2]
        for budget in 0..<uneven.reduce(0, +) {
            let plan = ResidencyPlan(unitBytes: uneven, budget: budget)
            #expect(plan.residentBytes + plan.windowBytes <= max(budget, plan.windowBytes))
        }
    }

    @Test(arguments: [1, 4096, 5 << 20, 70 << 20]) func stepsCoverEachUnitOnce(unitBytes: Int) {
        var units: [Range<Int>] = []
        for index in 0..<6 {
            let start = (units.last?.upperBound ?? 12288) + (index == 3 ? 8192 : 0)
            units.append(start..<start + unitBytes + index * 4096)
        }
        let plan = ResidencyPlan(unitBytes: units.map(\.count), budget: units[0].count * 4)
        let steps = WeightSteps(units: units, plan: plan, pageBytes: 4096).steps
        for (unit, range) in units.enumerated() {
            let own = steps.filter { $0.unit == unit }
            #expect(own.first?.read.lowerBound == range.lowerBound && own.last?.read.upperBound == range.upperBound)
            #expect(zip(own, own.dropFirst()).allSatisfy { $0.read.upperBound == $1.read.lowerBound })
            #expect(own.allSatisfy { $0.read.count <= WeightSteps.stepBytes && !$0.read.isEmpty })
            if plan.isResident[unit] { #expect(own.allSatisfy { $0.drop.isEmpty }) }
        }
        #expect(steps.map(\.unit) == steps.map(\.unit).sorted())
        let drops = steps.map(\.drop).filter { !$0.isEmpty }
        #expect(zip(drops, drops.dropFirst()).allSatisfy { $0.upperBound <= $1.lowerBound })
        for (unit, range) in units.enumerated() where plan.isResident[unit] {
            // Whole pages that belong to what stays are never dropped.
            let pages = (range.lowerBound + 4095) / 4096 * 4096..<max(range.upperBound / 4096 * 4096, (range.lowerBound + 4095) / 4096 * 4096)
            #expect(drops.allSatisfy { !$0.overlaps(pages) })
        }
        if unitBytes >= 5 << 20 {
            let dropped = drops.reduce(0) { $0 + $1.count }
            #expect(dropped <= plan.streamedBytes + (12 << 20) && dropped >= plan.streamedBytes - (24 << 20))
        }
    }

    /// Bytes that a stream has read at least after a few passes.
    private static let least = 1_000_000

    /// Logits of three passes after one another, the second over several tokens.
    private func logits(_ tiny: TinyModel, budget: Int?) throws -> (values: [Float], streamed: Int) {
        let session = try tiny.session(logitRows: 8)
        if let budget {
            let plan = ResidencyPlan(unitBytes: tiny.model.weightRanges.map(\.count), budget: budget)
            #expect(plan.streams)
            session.weightStream = WeightStream(plan: plan, units: tiny.model.weightRanges, reader: tiny.model.reader)
        }
        var values: [Float] = []
        for tokens: [Int32] in [[1], [349, 541, 7, 8], [300], [301], [302]] {
            let logits = try session.append(tokens[...], logits: .all)
            for row in tokens.indices { values += UnsafeBufferPointer(start: logits + row * session.logitsStride, count: tiny.model.shape.vocabulary) }
        }
        // On a busy machine all passes may be over before the stream's threads run at all; they go on all the same.
        let end = ContinuousClock.now + .seconds(60)
        while let stream = session.weightStream, stream.streamed <= Self.least, ContinuousClock.now < end { usleep(10_000) }
        return (values, session.weightStream?.streamed ?? 0)
    }

    @Test func streamingGivesTheSameLogits() throws {
        let tiny = try TinyModel(.q8)
        let expected = try logits(tiny, budget: nil).values
        for budget in [0, 3_000_000, 5_000_000] {
            let (values, streamed) = try logits(tiny, budget: budget)
            #expect(values == expected, "budget \(budget)")
            #expect(streamed > Self.least)
        }
    }

    @Test func aStreamEndsWhereverItIs() throws {
        let tiny = try TinyModel(.q4)
        let units = tiny.model.weightRanges
        for reached in [nil, 0, 1, units.count - 1] {
            let stream = WeightStream(plan: ResidencyPlan(unitBytes: units.map(\.count), budget: 0), units: units, reader: tiny.model.reader)
            if let reached { stream.reached(unit: reached) } else { stream.finishedPass() }
        }
    }

    @Test func lockErrorsSayWhatToDo() {
        let limited = MappedFile.lockError(path: "m.quern", count: 100, limit: 8_388_608, errno: ENOMEM)
        #expect("\(limited)" == "m.quern: cannot lock 100 bytes in memory: Cannot allocate memory; a process of this user may lock 8388608 bytes "
            + "(RLIMIT_MEMLOCK): raise it with 'ulimit -l' or, for a service, LimitMEMLOCK, or do not lock")
        let full = MappedFile.lockError(path: "m.quern", count: 100, limit: .max, errno: EAGAIN)
        #expect("\(full)".hasSuffix("the machine has too little free memory for it: end other programs, or do not lock"))
    }
}
