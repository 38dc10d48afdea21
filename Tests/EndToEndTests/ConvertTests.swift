import Foundation
import Glibc
import StrictJSON
import Testing

@Suite struct ConvertTests {
    @Test(arguments: ["q4", "q4s", "q8", "f16", "q6", "q5", "q3"])
    func convertsAndVerifies(type: String) throws {
        let scratch = try Scratch()
        let converted = try QuernProcess.run("convert", QuernProcess.fixture, "-o", scratch.path("m.quern"), "--type", type)
        #expect(converted.code == 0, "\(converted.errors)")
        #expect(try scratch.names() == ["m.quern"])
        let verified = try QuernProcess.run("verify", scratch.path("m.quern"), "--against", QuernProcess.fixture, "--json")
        #expect(verified.code == 0, "\(verified.errors)")
        let report = try verified.json
        #expect(report["ok"] == true)
        #expect(report["tensors"]?.array?.count == 75)
        let worst = try #require(report["worst_sqnr_db"])
        switch type {
        // The source is fp16, so nothing is lost.
        case "f16": #expect(worst == .null)
        case "q8": #expect(try #require(worst.double) > 40)
        case "q3": #expect(try #require(worst.double) > 15)
        default: #expect(try #require(worst.double) > 18)
        }
        for tensor in report["tensors"]?.array ?? [] {
            for key in ["name", "type", "bytes", "relative_rmse", "sqnr_db", "max_abs_error", "cosine"] { #expect(tensor[key] != nil, "\(key)") }
        }
    }

    @Test func sameBytesForAnyNumberOfThreads() throws {
        let scratch = try Scratch()
        for threads in ["1", "2", "9"] {
            #expect(try QuernProcess.run("convert", QuernProcess.fixture, "-o", scratch.path(threads), "--threads", threads).code == 0)
        }
        let one = try scratch.bytes("1")
        #expect(try scratch.bytes("2") == one)
        #expect(try scratch.bytes("9") == one)
    }

    /// With errors fed back the file is another one, the same for any number of threads, and verifies.
    @Test func feedback() throws {
        let scratch = try Scratch()
        func convert(_ name: String, _ arguments: String...) throws {
            let run = try QuernProcess.start(["convert", QuernProcess.fixture, "-o", scratch.path(name), "--output-type", "q4"] + arguments, in: "/tmp").finish()
            #expect(run.code == 0, "\(run.errors)")
        }
        try convert("plain")
        try convert("one", "--feedback", "--threads", "1")
        try convert("five", "--feedback", "--threads", "5")
        let one = try scratch.bytes("one")
        #expect(try scratch.bytes("five") == one)
        #expect(try scratch.bytes("plain") != one)
        let verified = try QuernProcess.run("verify", scratch.path("one"), "--against", QuernProcess.fixture, "--json")
        #expect(verified.code == 0, "\(verified.errors)")
        // Each single error is larger than without feedback; what they do together is smaller.
        let worst = try #require(try verified.json["worst_sqnr_db"]?.double)
        #expect(worst > 22 && worst < 24)
    }

    /// With grids of its own for each tensor: the same bytes for any number of threads, and less lost.
    @Test func fittedGrids() throws {
        let scratch = try Scratch()
        func convert(_ name: String, _ arguments: String...) throws {
            let run = try QuernProcess.start(["convert", QuernProcess.fixture, "-o", scratch.path(name), "--type", "q3"] + arguments, in: "/tmp").finish()
            #expect(run.code == 0, "\(run.errors)")
        }
        try convert("plain")
        try convert("one", "--fit-grids", "--threads", "1")
        try convert("five", "--fit-grids", "--threads", "5")
        #expect(try scratch.bytes("five") == scratch.bytes("one"))
        func mean(_ name: String) throws -> Double {
            let verified = try QuernProcess.run("verify", scratch.path(name), "--against", QuernProcess.fixture, "--json")
            #expect(verified.code == 0, "\(verified.errors)")
            return try #require(try verified.json["mean_sqnr_db"]?.double)
        }
        #expect(try mean("one") > mean("plain") + 0.01)
        #expect(try QuernProcess.run("inspect", scratch.path("one"), "--json").json["options"]?["grids"] == "fitted")
    }

    @Test func damagedOrMissingCalibration() throws {
        let scratch = try Scratch()
        let missing = try QuernProcess.run("convert", QuernProcess.fixture, "-o", scratch.path("m.quern"), "--calibration", scratch.path("none.qcal"))
        #expect(missing.code == 1 && missing.errors.contains("none.qcal"), "\(missing.errors)")
        try [UInt8](repeating: 7, count: 5000).withUnsafeBytes { try Data($0).write(to: URL(filePath: scratch.path("bad.qcal"))) }
        let bad = try QuernProcess.run("convert", QuernProcess.fixture, "-o", scratch.path("m.quern"), "--calibration", scratch.path("bad.qcal"))
        #expect(bad.code == 1 && bad.errors.contains("bad.qcal"), "\(bad.errors)")
        #expect(try !scratch.names().contains("m.quern"))
    }

    @Test func overridesOfTypes() throws {
        let scratch = try Scratch()
        let run = try QuernProcess.run(
            "convert", QuernProcess.fixture, "-o", scratch.path("m.quern"), "--type", "q4s", "--embedding-type", "f16", "--output-type", "q4", "--json")
        #expect(run.code == 0, "\(run.errors)")
        let lines = try run.output.split(separator: "\n").map { try JSONReader.read(String($0)) }
        #expect(lines.first?["event"] == "start")
        #expect(lines.last?["event"] == "done")
        let tensors = try QuernProcess.run("inspect", scratch.path("m.quern"), "--tensors", "--json").json["tensors"]?.array ?? []
        let types = Dictionary(uniqueKeysWithValues: tensors.map { ($0["name"]?.string ?? "", $0["type"]?.string ?? "") })
        #expect(types["model.embed_tokens.weight"] == "f16")
        #expect(types["lm_head.weight"] == "q4")
        #expect(types["model.layers.3.mlp.up_proj.weight"] == "q4s")
        #expect(types["model.layers.3.input_layernorm.weight"] == "f32")
    }

    @Test func defaultNameAndTypes() throws {
        let scratch = try Scratch()
        let run = try QuernProcess.run("convert", QuernProcess.fixture, in: scratch.folder)
        #expect(run.code == 0, "\(run.errors)")
        #expect(try scratch.names() == ["tiny-docs-q4.quern"])
        let report = try QuernProcess.run("inspect", scratch.path("tiny-docs-q4.quern"), "--json").json
        #expect(report["options"]?["output_type"] == "q8")
        #expect(report["options"]?["embedding_type"] == "q4")
        #expect(report["sources"]?.array?.count == 3)
    }

    @Test func dryRunWritesNothing() throws {
        let scratch = try Scratch()
        let run = try QuernProcess.run("convert", QuernProcess.fixture, "--dry-run", "--json", "--context", "512", in: scratch.folder)
        #expect(run.code == 0, "\(run.errors)")
        #expect(try scratch.names() == [])
        let plan = try run.json
        #expect(plan["run"]?["kv_cache_bytes"]?.int == 2 * 8 * 64 * 2 * 512)
        let text = try QuernProcess.run("convert", QuernProcess.fixture, "--dry-run", in: scratch.folder)
        #expect(text.output.contains("bits per weight"))
        let converted = try QuernProcess.run("convert", QuernProcess.fixture, in: scratch.folder)
        #expect(converted.code == 0)
        #expect(try scratch.bytes("tiny-docs-q4.quern").count <= plan["largest_file_bytes"]?.int ?? 0)
    }

    @Test func recordedDownloadDigestsAreCompared() throws {
        let scratch = try Scratch()
        let folder = try scratch.copyFixture()
        let records = "checkpoint/.cache/huggingface/download"
        try FileManager.default.createDirectory(atPath: scratch.path(records), withIntermediateDirectories: true)
        let shard = "model-00002-of-00003.safetensors"
        let metadata = { (digest: String) in "0123456789abcdef0123456789abcdef01234567\n\(digest)\n1700000000.0\n" }
        let wrong = String(repeating: "ab", count: 32)
        try metadata(wrong).write(toFile: scratch.path("\(records)/\(shard).metadata"), atomically: true, encoding: .utf8)
        let refused = try QuernProcess.run("convert", folder, "-o", scratch.path("m.quern"))
        #expect(refused.code == 1)
        #expect(refused.errors.contains("\(shard): the download recorded SHA-256 \(wrong), but the file has "))
        #expect(try scratch.names() == ["checkpoint"])
        let digest = String(try #require(refused.errors.components(separatedBy: "but the file has ").last).prefix(64))
        try metadata(digest).write(toFile: scratch.path("\(records)/\(shard).metadata"), atomically: true, encoding: .utf8)
        let accepted = try QuernProcess.run("convert", folder, "-o", scratch.path("m.quern"))
        #expect(accepted.code == 0, "\(accepted.errors)")
        #expect(accepted.output.contains("1 of 3 compared"))
    }

    @Test(arguments: [Int32(SIGINT), Int32(SIGTERM), Int32(SIGQUIT)])
    func interruptedRunLeavesNothing(signal: Int32) throws {
        let scratch = try Scratch()
        // The signal comes as soon as the temporary file is there.
        let running = try QuernProcess.start(["convert", QuernProcess.fixture, "-o", scratch.path("m.quern"), "--threads", "1", "--type", "q4"])
        for _ in 0..<20000 where try scratch.names().isEmpty && running.process.isRunning { usleep(100) }
        kill(running.process.processIdentifier, signal)
        let run = try running.finish()
        // A fast machine may have finished; then the file must be whole.
        if run.code == 0 {
            #expect(try QuernProcess.run("verify", scratch.path("m.quern")).code == 0)
        } else {
            #expect(run.code == 128 + signal)
            #expect(run.errors.contains("interrupted"))
            #expect(try scratch.names().allSatisfy { $0 == "m.quern" })
        }
    }

    @Test func helpShowsNamesOfTypesAndExitCodes() throws {
        let help = try QuernProcess.run("convert", "--help")
        #expect(help.output.contains("default: q4)"), "\(help.output)")
        #expect(!help.output.contains("q4 - "), "\(help.output)")
        for command in ["convert", "inspect", "verify", "run", "eval", "calibrate", "tokenize"] {
            // Lines are broken anywhere.
            let words = try QuernProcess.run(command, "--help").output.split { $0.isWhitespace }.joined(separator: " ")
            #expect(words.contains("129, 130, 131, 143 ended by a signal"), "\(words)")
            #expect(words.contains("2 --min-sqnr is not met") == (command == "verify"), "\(words)")
        }
    }

    @Test func replacingIsNoted() throws {
        let scratch = try Scratch()
        let first = try QuernProcess.run("convert", QuernProcess.fixture, "-o", scratch.path("m.quern"))
        #expect(first.code == 0 && !first.errors.contains("will be replaced"), "\(first.errors)")
        let second = try QuernProcess.run("convert", QuernProcess.fixture, "-o", scratch.path("m.quern"))
        #expect(second.code == 0 && second.errors.contains("quern: note: \(scratch.path("m.quern")) exists and will be replaced"), "\(second.errors)")
    }

    @Test func killedRunIsCleanedUpByTheNext() throws {
        let scratch = try Scratch()
        try Data("partial".utf8).write(to: URL(filePath: scratch.path(".m.quern.quern-partial.99999")))
        #expect(try QuernProcess.run("convert", QuernProcess.fixture, "-o", scratch.path("m.quern")).code == 0)
        #expect(try scratch.names() == ["m.quern"])
    }
}
