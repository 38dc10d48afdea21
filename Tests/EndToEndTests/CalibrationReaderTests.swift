import Foundation
import TestSupport
import Testing

/// A calibration file, read by the program that was written from the document alone.
@Suite struct CalibrationReaderTests {
    private let text = QuernProcess.fixture + "/sampled.txt"

    /// Every byte is checked, and the moments of the first layer's input are those that embedding and norm give.
    @Test(.enabled(if: ReferenceReader.isAvailable, "python3 with numpy is not here"))
    func momentsAreComputedAnew() throws {
        let scratch = try Scratch()
        let file = scratch.path("c.qcal")
        let run = try QuernProcess.run("calibrate", QuernProcess.fixture, "--text", text, "--windows", "1", "--hessians", "-o", file)
        #expect(run.code == 0, "\(run.errors)")
        let read = try ReferenceReader.run(["verify", file], program: "reference_calibration.py")
        #expect(read.status == 0 && read.output.contains("33 diagonals, 33 Hessians"), "\(read.output)\(read.errors)")
        // The middle one of the text's windows, its first token replaced by the begin token
        let ids = try QuernProcess.run(["tokenize", QuernProcess.fixture], input: Array(Data(contentsOf: URL(filePath: text)))).output.split(separator: " ")
        let window = ids.count / 512 / 2
        try (["1"] + ids[window * 512 + 1..<(window + 1) * 512]).joined(separator: " ").write(toFile: scratch.path("ids"), atomically: true, encoding: .utf8)
        let compared = try ReferenceReader.run(["compare", file, QuernProcess.fixture, scratch.path("ids")], program: "reference_calibration.py")
        let differences = compared.output.split(separator: "\n").compactMap { Double($0.split(separator: " ")[1]) }
        #expect(compared.status == 0 && differences.count == 2 && differences.allSatisfy { $0 < 1e-5 }, "\(compared.output)\(compared.errors)")
    }

    @Test(.enabled(if: ReferenceReader.isAvailable, "python3 with numpy is not here"))
    func theReaderRefusesADamagedFile() throws {
        let scratch = try Scratch()
        let file = scratch.path("c.qcal")
        #expect(try QuernProcess.run("calibrate", QuernProcess.fixture, "--text", text, "--windows", "1", "-o", file).code == 0)
        var bytes = try scratch.bytes("c.qcal")
        bytes[bytes.count - 3] ^= 1
        try bytes.write(to: URL(filePath: file))
        let read = try ReferenceReader.run(["verify", file], program: "reference_calibration.py")
        #expect(read.status == 1 && read.errors.contains("sha256 at entry 32"), "\(read.output)\(read.errors)")
    }
}
