package import Foundation

/// A folder that goes away with this object.
package final class TemporaryFolder: Sendable {
    package let url: URL

    package init() throws {
        url = FileManager.default.temporaryDirectory.appendingPathComponent("quern-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: url) }

    package func path(_ name: String) -> String { url.appendingPathComponent(name).path }
}

/// The root of the repository.
package let repositoryRoot = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

package struct ProcessResult: Sendable {
    package var status: Int32
    package var output: String
    package var errors: String
}

/// Runs a program found on PATH and waits for it.
package func runProcess(_ arguments: [String], environment: [String: String] = [:]) throws -> ProcessResult {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = arguments
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    // Errors go to a file: two pipes read one after the other can block.
    let folder = try TemporaryFolder()
    let errorFile = folder.path("errors")
    _ = FileManager.default.createFile(atPath: errorFile, contents: nil)
    let errorHandle = try FileHandle(forWritingTo: URL(fileURLWithPath: errorFile))
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = errorHandle
    try process.run()
    let output = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    try errorHandle.close()
    return ProcessResult(
        status: process.terminationStatus, output: String(decoding: output, as: UTF8.self),
        errors: String(decoding: try Data(contentsOf: URL(fileURLWithPath: errorFile)), as: UTF8.self))
}

/// `Tools/reference_reader.py`, the reader that shares no code with the program.
package enum ReferenceReader {
    /// QUERN_PYTHON names an interpreter that has the packages, such as one of a virtual environment.
    private static let python = ProcessInfo.processInfo.environment["QUERN_PYTHON"] ?? "python3"
    /// Whether Python 3 with numpy is there.
    package static let isAvailable: Bool = (try? runProcess([python, "-c", "import numpy"]).status) == 0
    /// Whether it can read whole files too.
    package static let canOpenFiles: Bool = (try? runProcess([python, "-c", "import numpy, zstandard"]).status) == 0

    /// - Parameter program: a file in `Tools`; `reference_session.py` reads session files.
    package static func run(_ arguments: [String], program: String = "reference_reader.py") throws -> ProcessResult {
        try runProcess([python, repositoryRoot.appendingPathComponent("Tools/\(program)").path] + arguments)
    }
}
