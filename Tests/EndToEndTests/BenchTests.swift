import StrictJSON
import Testing

/// `bench` on the bundled model: what it reports, not how fast it is.
@Suite struct BenchTests {
    private func converted(_ scratch: Scratch, type: String = "q4") throws -> String {
        let file = scratch.path("m.quern")
        let run = try QuernProcess.run("convert", QuernProcess.fixture, "-o", file, "--type", type)
        #expect(run.code == 0, "\(run.errors)")
        return file
    }

    @Test(arguments: ["q4", "f16"]) func everyCaseWithItsYardsticks(type: String) throws {
        let scratch = try Scratch()
        let file = try converted(scratch, type: type)
        let run = try QuernProcess.run(
            "bench", file, "--prompt-tokens", "9,70", "--generated-tokens", "3", "--depths", "0,20", "--threads", "1,2", "--runs", "2", "--json")
        #expect(run.code == 0 && run.errors.isEmpty, "\(run.errors)")
        let json = try run.json
        for key in ["read_bandwidth_gb_s", "int8_peak_gop_s"] {
            let (low, middle, high) = (json["\(key)_min"]?.double ?? 0, json[key]?.double ?? 0, json["\(key)_max"]?.double ?? 0)
            #expect(low > 0 && low <= middle && middle <= high, "\(key)")
        }
        #expect(json["file"]?.string == file)
        #expect(json["parameters"]?.int == 8_130_816 && json["parameters_multiplied"]?.int == 6_029_312)
        #expect(json["kv"]?.string == (type == "f16" ? "f32" : "f16"))
        #expect(json["kv_bytes_per_position"]?.int == (type == "f16" ? 4096 : 2048))
        #expect(json["threads"]?.int == 2 && json["runs"]?.int == 2)
        #expect(json["instruction_set"]?.string?.isEmpty == false && json["cpu"]?.string?.isEmpty == false)
        let results = try #require(json["results"]?.array)
        #expect(results.map { $0["kind"]?.string } == ["prefill", "prefill", "decode", "decode", "prefill", "prefill", "decode", "decode"])
        #expect(results.map { $0["tokens"]?.int } == [9, 70, 3, 3, 9, 70, 3, 3])
        #expect(results.map { $0["depth"]?.int } == [0, 0, 0, 20, 0, 0, 0, 20])
        #expect(results.map { $0["threads"]?.int } == [1, 1, 1, 1, 2, 2, 2, 2])
        for result in results {
            let (low, middle, high) = (result["tok_s_min"]?.double ?? 0, result["tok_s"]?.double ?? 0, result["tok_s_max"]?.double ?? 0)
            #expect(low > 0 && low <= middle && middle <= high)
            let fraction = try #require(result["fraction"]?.double)
            if result["kind"]?.string == "prefill" {
                let peak = try #require(result["int8_peak_gop_s"]?.double)
                #expect(abs(fraction / (2 * 8_130_816 * middle / (peak * 1e9)) - 1) < 1e-9)
                #expect(try #require(result["fraction_multiplied"]?.double) < fraction)
            } else {
                let bandwidth = try #require(result["read_bandwidth_gb_s"]?.double)
                let bytes = try #require(result["bytes_per_token"]?.double)
                #expect(abs(fraction / (bytes * middle / (bandwidth * 1e9)) - 1) < 1e-9)
            }
        }
    }

    @Test func theTableAndTheDefaultsThatTheContextAllows() throws {
        let scratch = try Scratch()
        let file = try converted(scratch)
        let run = try QuernProcess.run("bench", file, "--runs", "1", "--generated-tokens", "2", "--context", "300", "--threads", "2,2")
        #expect(run.code == 0, "\(run.errors)")
        #expect(run.errors.contains("prompt of 300 tokens instead of 512: --context is 300"), "\(run.errors)")
        #expect(run.errors.contains("depth 298 instead of 2048: --context is 300"), "\(run.errors)")
        let lines = run.output.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
        let rows = lines.filter { ["prefill", "decode"].contains($0.first) }
        #expect(rows.map { Array($0.prefix(4)) } == [["prefill", "300", "0", "2"], ["decode", "2", "0", "2"], ["decode", "2", "298", "2"]], "\(run.output)")
        #expect(run.output.contains("int8 peak; layers only 0.") && run.output.contains("read bandwidth"))
    }

    @Test func badRequestsAreExplained() throws {
        let scratch = try Scratch()
        let file = try converted(scratch)
        let cases: [(arguments: [String], code: Int32, text: String)] = [
            (["bench", file, "--runs", "0"], 64, "--runs must be within 1...10000"),
            (["bench", file, "--threads", "1,0"], 64, "--threads must be within 1...1024"),
            (["bench", file, "--threads", "1,"], 64, "The value '1,' is invalid for '--threads <threads>'"),
            (["bench", file, "--depths=-1"], 64, "The value '-1' is invalid for '--depths <depths>'"),
            (["bench", file, "--batch", "0"], 64, "--batch must be within 1...4096"),
            (["bench", file, "--prompt-tokens", "0", "--generated-tokens", "0"], 64, "Nothing to measure"),
            (["bench", file, "--depths", "0,1000"], 1,
             "--depths: 64 tokens at depth 1000 need 1064 positions, expected at most 1024, the context that the model was made for; choose fewer or raise --context"),
            (["bench", file, "--prompt-tokens", "2000", "--context", "1999"], 1,
             "--prompt-tokens: 2000 tokens need 2000 positions, expected at most 1999, --context; choose fewer or raise --context"),
            (["bench", file, "--generated-tokens", "65", "--context", "64"], 1, "--generated-tokens: 65 tokens need 65 positions, expected at most 64"),
            (["bench", scratch.path("none.quern")], 1, "none.quern: cannot open"),
            (["bench", scratch.folder], 1, "\(scratch.folder): is a folder; give a .quern file, made with 'quern convert'"),
        ]
        for (arguments, code, text) in cases {
            let run = try QuernProcess.run(arguments, input: [])
            #expect(run.code == code, "\(arguments): \(run.errors)")
            #expect(run.errors.contains(text), "\(arguments): \(run.errors)")
            #expect(run.output.isEmpty)
        }
    }
}
