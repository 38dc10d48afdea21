/// The weights of one pass, cut into requests that are large enough for the disk's full speed and small enough to be read and dropped in turn.
package struct WeightSteps {
    package struct Step: Equatable {
        package var unit: Int
        /// Bytes of the file.
        package var read: Range<Int>
        /// What can be dropped with it; empty for resident units.
        package var drop: Range<Int>
    }

    package static let stepBytes = 8 << 20
    private static let hugePage = 2 << 20

    package let steps: [Step]

    /// Steps end at multiples of their size in the file, so that no huge page belongs to two of them. A huge page on the border of two units
    /// is dropped with the second one.
    package init(units: [Range<Int>], plan: ResidencyPlan, pageBytes: Int) {
        precondition(units.count == plan.isResident.count, "\(units.count) units, a plan for \(plan.isResident.count)")
        var steps: [Step] = []
        for (unit, range) in units.enumerated() {
            let grain = range.count >= 32 * Self.hugePage ? Self.hugePage : pageBytes
            let precededByStreamed = unit > 0 && !plan.isResident[unit - 1] && units[unit - 1].upperBound <= range.lowerBound
            let low = (range.lowerBound + (precededByStreamed ? 0 : grain - 1)) / grain * grain
            let high = range.upperBound / grain * grain
            var start = range.lowerBound
            while start < range.upperBound {
                let end = min((start / Self.stepBytes + 1) * Self.stepBytes, range.upperBound)
                let first = start == range.lowerBound ? low : start, last = min(end, high)
                steps.append(Step(unit: unit, read: start..<end, drop: plan.isResident[unit] || first >= last ? start..<start : first..<last))
                start = end
            }
        }
        self.steps = steps
    }
}
