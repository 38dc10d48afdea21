import Foundation
import StrictJSON
import Testing

/// eval against the checkpoint, and calibrate, as a user runs them.
@Suite struct EvaluateTests {
    private let text = QuernProcess.fixture + "/sampled.txt"

    private func converted(_ scratch: Scratch, type: String) throws -> String {
        let file = scratch.path("\(type).quern")
        let run = try QuernProcess.run("convert", QuernProcess.fixture, "-o", file, "--type", type)
        #expect(run.code == 0, "\(run.errors)")
        return file
    }

    @Test func againstTheCheckpointWithItsCauses() throws {
        let scratch = try Scratch()
        let file = try converted(scratch, type: "q4")
        let run = try QuernProcess.run("eval", file, "--text", text, "--against", QuernProcess.fixture, "--windows", "3", "--split", "--json")
        #expect(run.code == 0, "\(run.errors)")
        let json = try run.json
        func number(_ key: String) throws -> Double { try #require(json[key]?.double, "\(key)") }
        #expect(json["windows"]?.int == 3 && json["windows_in_text"]?.int == 63 && json["scored"]?.int == 3 * 255)
        #expect(try number("mean_kld") > 0.0005 && number("mean_kld") < 0.004)
        let order = ["median_kld", "kld_90", "kld_99", "kld_999", "max_kld"]
        #expect(try zip(order, order.dropFirst()).allSatisfy { try number($0) <= number($1) })
        #expect(try number("mean_kld_uncertainty") > 0 && number("perplexity_ratio_uncertainty") > 0)
        #expect(try number("same_top") > 0.9 && number("same_top") < 1)
        let counts = try #require(json["kld_histogram"]?["counts"]?.array), edges = try #require(json["kld_histogram"]?["log10_edges"]?.array)
        #expect(counts.count == 100 && edges.count == 101 && counts.reduce(0) { $0 + ($1.int ?? 0) } == 765)
        // The parts add up to the whole, as run with an f16 cache, and the weights are most of it.
        let split = try #require(json["split"])
        let parts = try ["weights", "activations", "folding"].map { try #require(split[$0]?.double) }
        #expect(try abs(parts.reduce(0, +) - number("mean_kld")) < 1e-9)
        #expect(try parts[0] > 0.8 * number("mean_kld") && split["kv_q8"]?.double != nil)
        #expect(json["note"] == nil)
        // Nothing stays behind.
        #expect(try scratch.names() == ["q4.quern"])
    }

    @Test func anotherCheckpointIsPointedOut() throws {
        let scratch = try Scratch()
        let file = try converted(scratch, type: "q8"), other = try scratch.copyFixture()
        try scratch.replace("\"use_cache\": true", "\"use_cache\": false", in: "checkpoint/config.json")
        let run = try QuernProcess.run("eval", file, "--text", text, "--against", other, "--windows", "1")
        #expect(run.code == 0 && run.output.contains("is not the checkpoint that \(file) was made from"), "\(run.errors)")
        // One window says nothing about how windows differ.
        #expect(run.output.contains("(between windows unknown: there is one window)"), "\(run.output)")
        #expect(try QuernProcess.run("eval", file, "--text", text, "--split").code == 64)
        let missing = try QuernProcess.run("eval", file, "--text", text, "--against", scratch.path("none"))
        #expect(missing.code == 1 && missing.errors.contains("none: cannot open"), "\(missing.errors)")
    }

    @Test func calibrationIsRepeatable() throws {
        let scratch = try Scratch()
        for (name, threads) in [("a", "1"), ("b", "2")] {
            let run = try QuernProcess.run(
                "calibrate", QuernProcess.fixture, "--text", text, "--windows", "2", "--threads", threads, "-o", scratch.path(name), "--json")
            #expect(run.code == 0, "\(run.errors)")
            let json = try run.json
            #expect(json["tokens"]?.int == 1024 && json["entries"]?.int == 33 && json["id"]?.string?.count == 64)
        }
        #expect(try scratch.bytes("a") == scratch.bytes("b"))
        #expect(try scratch.names() == ["a", "b"])
    }

    private func calibrated(_ scratch: Scratch, _ name: String, _ arguments: String...) throws -> String {
        let run = try QuernProcess.run(
            ["calibrate", QuernProcess.fixture, "--text", text, "--windows", "1", "-o", scratch.path(name)] + arguments, input: [])
        #expect(run.code == 0, "\(run.errors)")
        return scratch.path(name)
    }

    /// A calibration is bound to its checkpoint.
    @Test func anotherCheckpointsCalibrationIsRefused() throws {
        let scratch = try Scratch()
        let calibration = try calibrated(scratch, "c.qcal"), other = try scratch.copyFixture()
        try scratch.replace("\"use_cache\": true", "\"use_cache\": false", in: "checkpoint/config.json")
        let run = try QuernProcess.run("convert", other, "--calibration", calibration, "-o", scratch.path("m.quern"))
        #expect(run.code == 1 && run.errors.contains("was made from a checkpoint whose config.json"), "\(run.errors)")
        #expect(try !scratch.names().contains("m.quern"))
        #expect(try QuernProcess.run("convert", QuernProcess.fixture, "--calibration", calibration, "-o", scratch.path("m.quern")).code == 0)
    }

    /// Inputs as the quantized layers give them: other ones, and recorded as such.
    @Test func calibrationThroughAFile() throws {
        let scratch = try Scratch()
        let file = try converted(scratch, type: "q3"), original = try calibrated(scratch, "a"), through = try calibrated(scratch, "b", "--through", file)
        #expect(try scratch.bytes("a").count == scratch.bytes("b").count && scratch.bytes("a") != scratch.bytes("b"))
        #expect(try String(decoding: scratch.bytes("b").prefix(1 << 16), as: UTF8.self).contains("\"through\""))
        #expect(try QuernProcess.run("convert", QuernProcess.fixture, "--calibration", through, "-o", scratch.path("m.quern")).code == 0)
        let other = try scratch.copyFixture()
        try scratch.replace("\"rms_norm_eps\": 1e-05", "\"rms_norm_eps\": 1e-06", in: "checkpoint/config.json")
        let wrong = try QuernProcess.run("calibrate", other, "--text", text, "--windows", "1", "--through", file, "-o", scratch.path("c"))
        #expect(wrong.code == 1 && wrong.errors.contains("was not made from"), "\(wrong.errors)")
        #expect(original != through)
    }

    /// Measured sensitivities decide over a mixture, and are bound to their checkpoint.
    @Test func sensitivitiesDecideOverTypes() throws {
        let scratch = try Scratch()
        let measure = ["sensitivity", QuernProcess.fixture, "--text", text, "--windows", "1", "--layers", "2"]
        for (name, threads) in [("a", "1"), ("b", "2")] {
            let run = try QuernProcess.run(measure + ["-o", scratch.path(name), "--threads", threads, "--json"], input: [])
            #expect(run.code == 0, "\(run.errors)")
            #expect(try run.json["measured_layers"] == [0, 7])
        }
        #expect(try scratch.bytes("a") == scratch.bytes("b"))
        func convert(_ folder: String, _ arguments: String...) throws -> QuernProcess {
            try QuernProcess.run(["convert", folder, "--target-bpw", "4.5", "--no-feedback", "--dry-run", "--json"] + arguments, input: [])
        }
        let measured = try convert(QuernProcess.fixture, "--sensitivities", scratch.path("a")), estimated = try convert(QuernProcess.fixture)
        #expect(measured.code == 0 && measured.errors.contains("sensitivities: measured, file "), "\(measured.errors)")
        #expect(measured.output != estimated.output)
        let other = try scratch.copyFixture()
        try scratch.replace("\"use_cache\": true", "\"use_cache\": false", in: "checkpoint/config.json")
        let wrong = try convert(other, "--sensitivities", scratch.path("a"))
        #expect(wrong.code == 1 && (wrong.errors + wrong.output).contains("was made from a checkpoint whose config.json"), "\(wrong.errors)")
        #expect(try QuernProcess.run("convert", QuernProcess.fixture, "--sensitivities", scratch.path("a"), "--dry-run").code == 64)
    }

    /// The report takes what eval prints, and only for the file that was evaluated.
    @Test func reportTakesTheEvaluation() throws {
        let scratch = try Scratch()
        let file = try converted(scratch, type: "q4"), other = try converted(scratch, type: "q8")
        let run = try QuernProcess.run("eval", file, "--text", text, "--against", QuernProcess.fixture, "--windows", "2", "--json")
        #expect(run.code == 0, "\(run.errors)")
        try run.output.write(toFile: scratch.path("eval.json"), atomically: true, encoding: .utf8)
        let report = try QuernProcess.run("report", file, "--eval", scratch.path("eval.json"), "-o", scratch.path("r.html"), "--max-kld", "0.01")
        #expect(report.code == 0, "\(report.errors)")
        let wrong = try QuernProcess.run("report", other, "--eval", scratch.path("eval.json"), "-o", scratch.path("s.html"))
        #expect(wrong.code == 1 && wrong.errors.contains("evaluate this file"), "\(wrong.errors)")
    }

    @Test func calibrationRequestsAreExplained() throws {
        let scratch = try Scratch()
        let cases: [([String], Int32, String)] = [
            (["calibrate", QuernProcess.fixture, "--text", QuernProcess.fixture + "/config.json"], 1, "expected at least 512"),
            (["calibrate", scratch.path("none"), "--text", text], 1, "the folder does not exist"),
            (["calibrate", QuernProcess.fixture, "--text", text, "--memory", "0.001"], 1, "windows need"),
            (["calibrate", QuernProcess.fixture, "--text", text, "--sample-from", "x.quern"], 64, "exclude each other"),
            (["calibrate", QuernProcess.fixture, "--text", text, "--windows", "0"], 64, "--windows must be at least 1"),
        ]
        for (arguments, code, message) in cases {
            let run = try QuernProcess.run(arguments + ["-o", scratch.path("out")], input: [])
            #expect(run.code == code && run.errors.contains(message), "\(arguments): \(run.errors)")
        }
        #expect(try scratch.names().isEmpty)
    }
}
