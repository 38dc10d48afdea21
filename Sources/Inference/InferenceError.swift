/// Why a model file cannot be run, or a request not be met.
package enum InferenceError: Error, Equatable, CustomStringConvertible {
    case unsuitable(path: String, faults: [String])
    case outOfMemory(what: String, bytes: Int)
    case contextFull(needed: Int, context: Int)
    case notFinite(path: String, position: Int)

    package var description: String {
        switch self {
        case .unsuitable(let path, let faults):
            "\(path): cannot be run; convert the checkpoint again\n  \(faults.joined(separator: "\n  "))"
        case .outOfMemory(let what, let bytes):
            "\(what): the system gave no \(bytes) bytes of memory; choose a smaller --context"
        case .notFinite(let path, let position):
            "\(path): the model's values at position \(position) are not finite, so every answer from there on would be wrong; "
                + "check the file with 'quern verify'"
        case .contextFull(let needed, let context):
            "\(needed) tokens do not fit the context of \(context); shorten the prompt or raise --context"
        }
    }
}
