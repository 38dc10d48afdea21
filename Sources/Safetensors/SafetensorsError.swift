package import StrictJSON

/// One file is not a valid safetensors file.
package struct SafetensorsError: Error, Equatable, CustomStringConvertible {
    /// The file's name, without its folder.
    package var file: String
    package var tensor: JSONString?
    /// What was expected, what was found, and what helps.
    package var problem: String

    package init(file: String, tensor: JSONString? = nil, _ problem: String) {
        self.file = file
        self.tensor = tensor
        self.problem = problem
    }

    package var description: String { "\(file): " + (tensor.map { "tensor \($0.quoted): " } ?? "") + problem }
}

/// A folder is not a complete checkpoint. Holds everything that is wrong, so that one look is enough.
package struct CheckpointError: Error, Equatable, CustomStringConvertible {
    package var folder: String
    /// One line each.
    package var faults: [String]
    static let shownFaults = 40

    package init(folder: String, faults: [String]) {
        self.folder = folder
        self.faults = faults
    }

    package var description: String {
        if faults.count == 1 { return "\(folder): \(faults[0])" }
        var lines = ["\(folder): \(faults.count) faults"]
        lines += faults.prefix(Self.shownFaults).map { "  \($0)" }
        if faults.count > Self.shownFaults { lines.append("  and \(faults.count - Self.shownFaults) more") }
        return lines.joined(separator: "\n")
    }
}
