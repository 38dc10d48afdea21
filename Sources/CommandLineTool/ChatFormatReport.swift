import ChatTemplates
import Generation
import ModelFiles
import StrictJSON

/// Which chat format a model file's `chat` and `run --chat` use, and why.
struct ChatFormatReport {
    let text: String
    let json: JSONValue

    init(_ file: ModelFileReader) {
        do throws(ChatTemplateError) {
            let chosen = try ChatFormat.choose(ChatFormatEvidence(modelFile: file))
            text = "\(chosen.format.name): \(chosen.reason)"
            json = ["name": JSONValue(chosen.format.name), "reason": JSONValue(chosen.reason)]
        } catch {
            text = error.code == .unknownFormat ? "none: \(error.problem); \(error.advice)" : "none: \(error)"
            json = ["name": nil, "reason": JSONValue("\(error)")]
        }
    }
}
