import ArgumentParser

@main
struct Quern: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "quern", abstract: "Converts, verifies and runs quantized LLaMA checkpoints.")
}
