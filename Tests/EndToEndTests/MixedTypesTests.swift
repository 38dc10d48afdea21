import Foundation
import StrictJSON
import Testing

/// Mixtures of storage types within a target.
@Suite struct MixedTypesTests {
    @Test(arguments: [3.6, 4.5, 4.8, 5.75, 6.55, 8])
    func bitsPerWeightStayWithinTheTargetAndNearIt(target: Double) throws {
        let scratch = try Scratch()
        let run = try QuernProcess.run("convert", QuernProcess.fixture, "-o", scratch.path("m.quern"), "--target-bpw", "\(target)")
        #expect(run.code == 0, "\(run.errors)")
        #expect(run.errors.contains("types are mixed; sensitivities: estimate without data"), "\(run.errors)")
        let report = try QuernProcess.run("inspect", scratch.path("m.quern"), "--json", "--tensors").json
        let bits = try #require(report["bpw"]?.double)
        #expect(bits <= target && bits > target - 0.05, "\(bits)")
        // Every byte of every tensor over all parameters
        let tensors = try #require(report["tensors"]?.array)
        let (bytes, weights) = (tensors.reduce(0) { $0 + $1["bytes"]!.int! }, tensors.reduce(0) { $0 + $1["rows"]!.int! * $1["columns"]!.int! })
        #expect(bits == Double(bytes) * 8 / Double(weights))
        #expect(report["options"]?["type"] == "mixed" && report["options"]?["target_bpw"]?.double == target)
        #expect(report["plan"]?["target"]?.string == "\(target) bits per weight")
        #expect(report["plan"]?["sensitivities"]?["lm_head.weight"]?.double ?? 0 > 0)
        #expect(try QuernProcess.run("verify", scratch.path("m.quern"), "--against", QuernProcess.fixture).code == 0)
    }

    @Test func sameBytesForAnyThreadsAndInstructionSet() throws {
        let scratch = try Scratch()
        var files: [Data] = []
        for (name, threads, kernels) in [("a", "1", "scalar"), ("b", "2", ""), ("c", "7", "")] {
            let run = try QuernProcess.start(
                ["convert", QuernProcess.fixture, "-o", scratch.path(name), "--target-bpw", "4.6", "--threads", threads],
                environment: kernels.isEmpty ? [:] : ["QUERN_FORCE_ISA": kernels]
            ).finish()
            #expect(run.code == 0, "\(run.errors)")
            files.append(try scratch.bytes(name))
        }
        #expect(files[1] == files[0] && files[2] == files[0])
    }

    @Test func fileSizeAndMemoryAreKept() throws {
        let scratch = try Scratch()
        let size = try QuernProcess.run("convert", QuernProcess.fixture, "-o", scratch.path("size"), "--target-size", "5MB")
        #expect(size.code == 0, "\(size.errors)")
        let bytes = try scratch.bytes("size").count
        #expect(bytes <= 5_000_000 && bytes > 4_700_000, "\(bytes)")
        let memory = ["convert", QuernProcess.fixture, "--fit-ram", "46MiB", "--context", "600", "--dry-run", "--json"]
        let plan = try QuernProcess.start(memory).finish().json
        let total = try #require(plan["run"]?["total_bytes"]?.int)
        #expect(total <= 46 << 20 && total > 45 << 20, "\(total)")
        #expect(plan["mixture"]?["tensors"]?.array?.count == 75)
        // Named after the target
        #expect(try QuernProcess.run("convert", QuernProcess.fixture, "--target-size", "5MB", in: scratch.folder).code == 0)
        #expect(try scratch.names() == ["size", "tiny-docs-5MB.quern"])
    }

    @Test func givenTypesStay() throws {
        let scratch = try Scratch()
        let run = try QuernProcess.run(
            "convert", QuernProcess.fixture, "-o", scratch.path("m"), "--target-bpw", "5", "--embedding-type", "q3", "--tensor-type", "layers.3.=q8",
            "--tensor-type", "3.mlp.up=q5")
        #expect(run.code == 0, "\(run.errors)")
        let report = try QuernProcess.run("inspect", scratch.path("m"), "--tensors", "--json").json
        let types = Dictionary(uniqueKeysWithValues: (report["tensors"]?.array ?? []).map { ($0["name"]?.string ?? "", $0["type"]?.string ?? "") })
        #expect(types["model.embed_tokens.weight"] == "q3")
        #expect(types["model.layers.3.mlp.down_proj.weight"] == "q8" && types["model.layers.3.self_attn.q_proj.weight"] == "q8")
        #expect(types["model.layers.3.mlp.up_proj.weight"] == "q5" && types["model.layers.3.input_layernorm.weight"] == "f32")
        #expect(report["options"]?["embedding_type"] == "q3" && report["options"]?["tensor_type layers.3."] == "q8")
        #expect(report["plan"]?["sensitivities"]?["model.embed_tokens.weight"] == nil)
        // The same for one type
        let plain = try QuernProcess.run(
            "convert", QuernProcess.fixture, "-o", scratch.path("n"), "--type", "q4s", "--tensor-type", "v_proj=q6", "--dry-run", "--json").json
        #expect(plain["types"]?.array?.contains { $0["type"] == "q6" && $0["tensors"]?.int == 8 } == true)
        #expect(plain["mixture"] == .null)
    }

    @Test(arguments: [
        (["--target-bpw", "3"], "the target of 3.0 bits per weight cannot be reached with these types: the least is 3."),
        (["--target-size", "3MB"], "the target of a file of 3000000 bytes cannot be reached with these types: the least is a file of "),
        (["--target-size", "100"], "the target of 100 bytes is not above the "),
        (["--fit-ram", "1MB"], "cache and buffers take with 1024 tokens of context; ask for more memory or less --context"),
        (["--fit-ram", "45MB"], "the target of 45000000 bytes of memory with 1024 tokens of context cannot be reached with these types: the least is "),
        (["--target-bpw", "5", "--tensor-type", "nothing=q4"], "no matrix of the model has 'nothing' in its name"),
    ])
    func whatCannotBeReachedIsSaid(arguments: [String], message: String) throws {
        let scratch = try Scratch()
        let run = try QuernProcess.start(["convert", QuernProcess.fixture, "-o", scratch.path("m.quern")] + arguments).finish()
        #expect(run.code == 1 && run.errors.contains(message), "\(run.errors)")
        #expect(try scratch.names() == [])
    }

    @Test func theLeastThatIsNamedIsReached() throws {
        let scratch = try Scratch()
        for (option, pattern) in [("--target-bpw", "the least is ([0-9.]+) bits"), ("--target-size", "a file of ([0-9]+) bytes\n")] {
            let refused = try QuernProcess.run("convert", QuernProcess.fixture, "-o", scratch.path("m"), option, option == "--target-bpw" ? "2" : "1MB")
            let expression = try Regex(pattern)
            let least = try #require(refused.errors.matches(of: expression).last?.output[1].substring.map(String.init), "\(refused.errors)")
            let run = try QuernProcess.run("convert", QuernProcess.fixture, "-o", scratch.path("m"), option, least)
            #expect(run.code == 0, "\(least): \(run.errors)")
        }
    }

    @Test func moreThanTheMostExactTypesIsNoted() throws {
        let scratch = try Scratch()
        let run = try QuernProcess.run("convert", QuernProcess.fixture, "-o", scratch.path("m"), "--target-bpw", "12")
        #expect(run.code == 0 && run.errors.contains("the target of 12.0 bits per weight is more than the most exact types need: 8."), "\(run.errors)")
    }

    @Test(arguments: [
        ["--target-bpw", "5", "--type", "q4"], ["--target-bpw", "5", "--fit-ram", "1GB"], ["--target-bpw", "0"], ["--target-bpw", "nan"], ["--target-size", "5QB"],
        ["--target-size", "-5GB"], ["--tensor-type", "q4"], ["--tensor-type", "a=f32"], ["--tensor-type", "=q4"],
    ])
    func wrongUsage(arguments: [String]) throws {
        #expect(try QuernProcess.start(["convert", QuernProcess.fixture, "--dry-run"] + arguments).finish().code == 64)
    }
}
