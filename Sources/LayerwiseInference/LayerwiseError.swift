/// Why a model cannot be run layer by layer.
package struct LayerwiseError: Error, Equatable, CustomStringConvertible {
    package var path: String
    package var faults: [String]

    package init(path: String, _ fault: String) { (self.path, faults) = (path, [fault]) }
    package init(path: String, faults: [String]) { (self.path, self.faults) = (path, faults) }

    package var description: String {
        faults.count == 1 ? "\(path): \(faults[0])" : "\(path):\n  \(faults.joined(separator: "\n  "))"
    }
}
