import Architectures
import ArgumentParser
import ByteStorage
import Conversion
import ModelFiles

struct InspectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect", abstract: "Shows what a .quern file, a checkpoint folder or this machine is.",
        discussion: """
            Reads headers only, never the weights; 'quern verify' checks these. Error figures are those that the conversion measured; \
            'quern verify --help' defines them.

            \(ExitCodes.help)
            """)

    @Argument(help: "A .quern file or a checkpoint's folder.", completion: .file())
    var path: String?

    @Flag(help: "List every tensor.") var tensors = false
    @Flag(help: "Show processor, instruction set and memory of this machine.") var machine = false
    @Flag(help: "Write one JSON object.") var json = false

    func validate() throws {
        if path == nil && !machine { throw ValidationError("Give a .quern file or a checkpoint's folder, or --machine.") }
        if path != nil && machine { throw ValidationError("--machine takes no path.") }
    }

    func run() throws {
        try ErrorPresentation.run {
            guard let path else { return try MachineReport().show(json: json) }
            switch Folders.kind(of: path) {
            case .folder: CheckpointReport(try CheckpointModel.open(folder: path), listsTensors: tensors).show(json: json)
            case .file:
                let file = try ModelFileReader(path: path)
                try ModelFileReport(file, listsTensors: tensors).show(json: json)
            case .missing: throw ConversionError("\(path): \(Folders.whyMissing(path)); give a .quern file or a checkpoint's folder")
            case .other: throw ConversionError("\(path): neither a file nor a folder; give a .quern file or a checkpoint's folder")
            }
        }
    }
}
