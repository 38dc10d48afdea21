/// A config or a set of tensors does not describe a model that Quern knows. Holds everything that is wrong.
package struct ArchitectureError: Error, Equatable, CustomStringConvertible {
    /// What was looked at: "config.json", "tensors".
    package var subject: String
    /// One line each.
    package var faults: [String]

    package init(subject: String, faults: [String]) {
        self.subject = subject
        self.faults = faults
    }

    package var description: String {
        if faults.count == 1 { return "\(subject): \(faults[0])" }
        return (["\(subject): \(faults.count) faults"] + faults.map { "  \($0)" }).joined(separator: "\n")
    }
}
