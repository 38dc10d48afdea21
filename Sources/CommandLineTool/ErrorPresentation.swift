import Architectures
import ArgumentParser
import ChatTemplates
import Conversion
import Glibc
import StrictJSON
import Tokenization

/// The exit codes of every command. Wrong usage exits with 64, as ArgumentParser does; a signal with 128 and its number.
enum ExitCodes {
    static let failure = ExitCode(1)
    /// The work was done, and a limit that the user gave is not met.
    static let gate = ExitCode(2)

    static let help = help(gate: "")
    static let helpWithGate = help(gate: "2 --min-sqnr is not met; ")

    static func help(gate: String) -> String {
        """
        Exit codes: 0 success; 1 bad input, damaged file or another failure; \(gate)64 wrong usage; 129, 130, 131, 143 ended by a \
        signal (hang-up, interrupt, quit, termination).
        """
    }
}

enum ErrorPresentation {
    /// Runs a command's work; an error becomes a message on the standard error stream, one JSON line if asked for, and exit code 1.
    static func run(json: Bool = false, _ body: () throws -> Void) throws {
        do {
            try body()
            try Terminal.finishOutput()
        } catch let error as ExitCode {
            throw error
        } catch {
            present(error, json: json)
            throw ExitCodes.failure
        }
    }

    /// Puts the path of the file or folder before an error that names only what is inside.
    static func naming<Result>(_ path: String, _ body: () throws -> Result) throws -> Result {
        do { return try body() } catch let error as TokenizationError {
            throw ConversionError("\(path): \(error)")
        } catch let error as ArchitectureError {
            throw ConversionError("\(path): \(error)")
        } catch let error as ChatTemplateError {
            throw ConversionError("\(path): \(error)")
        }
    }

    static func present(_ error: any Error, json: Bool) {
        Terminal.note("quern: error: \(error)")
        guard json else { return }
        let faults = (error as? ConversionError)?.faults ?? ["\(error)"]
        Terminal.line(["event": "error", "faults": JSONValue(faults.map { JSONValue($0) })])
    }
}
