import ArgumentParser
import Conversion

@main
struct Quern: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: ToolVersion.name, abstract: "Converts, verifies and runs quantized LLaMA checkpoints.", version: ToolVersion.text,
        subcommands: [
            ConvertCommand.self,
            InspectCommand.self,
            VerifyCommand.self,
            ReportCommand.self,
            RunCommand.self,
            ChatCommand.self,
            EvalCommand.self,
            CalibrateCommand.self,
            SensitivityCommand.self,
            BenchCommand.self,
            TokenizeCommand.self,
        ])

    static func main() async {
        Terminal.reserveStreams()
        await main(nil)
    }
}
