import Foundation
import Glibc
import StrictJSON
import Testing

/// The built command, run as a user would run it.
struct QuernProcess {
    var output: String
    var errors: String
    /// The exit code, or the negative number of the signal that ended it.
    var code: Int32

    /// Beside the test bundle, wherever the build put both.
    static let binary: String = {
        let executable = try! FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        var candidates = [URL(filePath: executable).deletingLastPathComponent().path]
        candidates += CommandLine.arguments.filter { $0.contains(".xctest") }.map { URL(filePath: $0).deletingLastPathComponent().path }
        candidates += ["release", "debug"].map { "\(repository)/.build/\($0)" }
        return candidates.map { "\($0)/quern" }.first { access($0, X_OK) == 0 } ?? "\(candidates[0])/quern"
    }()

    static let repository = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path
    static let fixture = "\(repository)/Tests/Fixtures/tiny-docs"

    /// Runs to the end.
    static func run(_ arguments: String..., in folder: String = "/tmp") throws -> QuernProcess {
        try start(arguments, in: folder).finish()
    }

    /// Runs to the end with these bytes on standard input.
    static func run(_ arguments: [String], input: [UInt8], environment: [String: String] = [:]) throws -> QuernProcess {
        try start(arguments, input: input, environment: environment).finish()
    }

    static func start(
        _ arguments: [String], in folder: String = "/tmp", input: [UInt8]? = nil, environment: [String: String] = [:]
    ) throws -> Running {
        let process = Process()
        process.executableURL = URL(filePath: binary)
        process.arguments = arguments
        process.currentDirectoryURL = URL(filePath: folder)
        // Files, not pipes: nobody has to read while the command runs.
        let texts = try Scratch()
        for name in ["out", "err"] { try Data().write(to: URL(filePath: texts.path(name))) }
        process.standardOutput = try FileHandle(forWritingTo: URL(filePath: texts.path("out")))
        process.standardError = try FileHandle(forWritingTo: URL(filePath: texts.path("err")))
        if let input {
            try Data(input).write(to: URL(filePath: texts.path("in")))
            process.standardInput = try FileHandle(forReadingFrom: URL(filePath: texts.path("in")))
        } else {
            process.standardInput = FileHandle.nullDevice
        }
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        try process.run()
        return Running(process: process, texts: texts)
    }

    struct Running {
        let process: Process
        let texts: Scratch

        func finish() throws -> QuernProcess {
            process.waitUntilExit()
            return QuernProcess(
                output: try texts.text("out"), errors: try texts.text("err"),
                code: process.terminationReason == .uncaughtSignal ? -process.terminationStatus : process.terminationStatus)
        }
    }

    var json: JSONValue { get throws { try JSONReader.read(output) } }
}

/// A folder that goes away with the test.
final class Scratch: Sendable {
    let folder: String

    init() throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "quern-test-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    func path(_ name: String) -> String { "\(folder)/\(name)" }
    func text(_ name: String) throws -> String { try String(contentsOfFile: path(name), encoding: .utf8) }
    func bytes(_ name: String) throws -> Data { try Data(contentsOf: URL(filePath: path(name))) }
    func names() throws -> [String] { try FileManager.default.contentsOfDirectory(atPath: folder).sorted() }

    /// A copy of the bundled checkpoint that a test may damage.
    func copyFixture(_ name: String = "checkpoint") throws -> String {
        try FileManager.default.copyItem(atPath: QuernProcess.fixture, toPath: path(name))
        return path(name)
    }

    /// Changes the file's bytes.
    func edit(_ name: String, _ change: (inout Data) -> Void) throws {
        var bytes = try bytes(name)
        change(&bytes)
        try bytes.write(to: URL(filePath: path(name)))
    }

    /// Replaces text in a file.
    func replace(_ old: String, _ new: String, in name: String) throws {
        let text = try text(name)
        #expect(text.contains(old), "\(name) does not hold '\(old)'")
        try text.replacingOccurrences(of: old, with: new).write(toFile: path(name), atomically: true, encoding: .utf8)
    }
}
