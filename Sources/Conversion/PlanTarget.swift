import Architectures

/// What a mixed-precision plan has to stay within.
package enum PlanTarget: Sendable, Equatable {
    /// Bytes of all tensors over all parameters.
    case bitsPerWeight(Double)
    /// Bytes of the whole file.
    case fileBytes(UInt64)
    /// Bytes of memory to run with so many tokens of context: weights, fp16 cache, buffers.
    case memory(UInt64, context: Int)
}

extension PlanTarget {
    /// As text, and as the options that stand in the file.
    package var description: String {
        switch self {
        case .bitsPerWeight(let bits): "\(bits) bits per weight"
        case .fileBytes(let bytes): "a file of \(bytes) bytes"
        case .memory(let bytes, let context): "\(bytes) bytes of memory with \(context) tokens of context"
        }
    }

    /// Most bytes that the tensors may have, and whether each counts with its padding to 4096 in the file.
    ///
    /// - Throws: the target is smaller than what does not depend on the types.
    func budget(model: CheckpointModel, overhead: UInt64) throws(ConversionError) -> (bytes: UInt64, isAligned: Bool) {
        switch self {
        case .bitsPerWeight(let bits):
            return (UInt64((bits * Double(model.parameterCount) / 8).rounded(.down)), false)
        case .fileBytes(let bytes):
            guard bytes > overhead else {
                throw ConversionError("the target of \(bytes) bytes is not above the \(overhead) bytes that header, directory, metadata and tokenizer may take; ask for more")
            }
            return (bytes - overhead, true)
        case .memory(let bytes, let context):
            let rest = RunningMemory(configuration: model.configuration, tensorBytes: 0, context: context).total
            guard bytes > rest else {
                throw ConversionError(
                    "the target of \(bytes) bytes of memory is not above the \(rest) bytes that cache and buffers take with \(context) tokens of context; "
                        + "ask for more memory or less --context")
            }
            return (bytes - rest, false)
        }
    }
}
