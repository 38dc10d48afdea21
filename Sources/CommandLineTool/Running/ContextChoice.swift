import Architectures
import Conversion

/// The positions that a run makes room for. More than the config says is allowed up to a limit, and said.
struct ContextChoice {
    let positions: Int

    init(requested: Int?, configuration: LlamaConfiguration) throws {
        guard let requested else {
            positions = configuration.defaultContext
            return
        }
        if let fault = configuration.contextFault(requested) { throw ConversionError(fault) }
        let said = configuration.contextLength
        positions = requested
        if let base = configuration.baseContext, requested > said, requested <= base {
            Terminal.note("context \(requested): config.json says \(said), but the model's base, LLaMA-2-70B, was trained on \(base)")
        } else if requested > said {
            Terminal.note(
                "context \(requested): config.json says that the model was made for \(said); unless it was trained on more, answers get worse beyond")
        }
    }
}
