import ArgumentParser
import ByteStorage
import Conversion
import HostFacts
import LayerwiseInference
import Tokenization

/// Options of every command that takes a model layer by layer through a batch of windows.
struct LayerwiseOptions: ParsableArguments {
    @Option(help: "Compute threads. Default: the processors that this process may use.") var threads: Int?
    @Option(help: ArgumentHelp("Memory to use, in GB, without page cache. Default: half of what is free, of eval at most 4.", valueName: "gb"))
    var memory: Double?

    func validate() throws {
        if let threads, !(1...1024).contains(threads) { throw ValidationError("--threads must be within 1...1024.") }
        if let memory, !(memory > 0 && memory < 1e6) { throw ValidationError("--memory must be a number of GB above 0.") }
    }

    var chosenThreads: Int { threads ?? CPUFacts().defaultThreads }

    /// Bytes.
    func budget(atMost most: Int = .max) -> Int { memory.map { Int($0 * 1e9) } ?? min(most, Int(clamping: MachineMemory().obtainable / 2)) }
}

extension CheckpointSource {
    /// Layers of a checkpoint that is large beside the memory leave the page cache when they are done.
    convenience init(_ model: CheckpointModel) throws {
        try self.init(
            checkpoint: model.checkpoint, configuration: model.configuration, configText: model.configText,
            dropsCache: model.shardBytes > MachineMemory().obtainable / 2)
    }
}

extension TextWindows {
    /// Windows of standard size.
    ///
    /// - Parameters:
    ///   - bytes: of the text.
    ///   - path: for the message when it is shorter than a window.
    init(_ bytes: [UInt8], path: String, tokenizer: Tokenizer, limit: Int?) throws {
        let ids = tokenizer.encode(bytes, addBOS: tokenizer.addsBegin, parseSpecial: false), size = Self.standardSize
        guard ids.count >= size else { throw ConversionError("\(path): \(ids.count) tokens, expected at least \(size); give a longer text") }
        self.init(ids: ids, begin: tokenizer.addsBegin ? tokenizer.beginID : nil, limit: limit)
    }
}
