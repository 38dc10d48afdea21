/// A conversion or a comparison with the source cannot be done. Holds everything that is wrong, one line each: subject,
/// place, expected, found, and what to do.
package struct ConversionError: Error, Equatable, CustomStringConvertible {
    package var faults: [String]

    package init(_ faults: [String]) { self.faults = faults }
    package init(_ fault: String) { faults = [fault] }

    package var description: String {
        if faults.count == 1 { return faults[0] }
        return (["\(faults.count) faults"] + faults.map { "  \($0)" }).joined(separator: "\n")
    }
}
