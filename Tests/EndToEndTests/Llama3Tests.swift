import Foundation
import StrictJSON
import TestSupport
import Testing

/// Checkpoints of Llama-3's shapes through every command, and what is refused.
@Suite struct Llama3Tests {
    private func made(_ name: String, _ scratch: Scratch) throws -> String {
        try MadeLlama(name).write(to: scratch.path("made"))
        return scratch.path("made")
    }

    @Test(arguments: MadeLlama.names) func convertsVerifiesEvaluatesAndRuns(name: String) throws {
        let scratch = try Scratch()
        let folder = try made(name, scratch)
        try String(repeating: "Any text that is long enough, byte by byte.\n", count: 30)
            .write(toFile: scratch.path("text"), atomically: true, encoding: .utf8)
        for type in ["f16", "q4"] {
            let file = scratch.path("\(type).quern")
            let convert = try QuernProcess.run("convert", folder, "-o", file, "--type", type)
            #expect(convert.code == 0, "\(convert.errors)")
            let verify = try QuernProcess.run("verify", file, "--against", folder)
            #expect(verify.code == 0 && verify.output.contains("identical to what is recorded"), "\(verify.errors)")
            let eval = try QuernProcess.run("eval", file, "--against", folder, "--text", scratch.path("text"), "--windows", "2", "--json")
            #expect(eval.code == 0, "\(eval.errors)")
            let divergence = try #require(try eval.json["mean_kld"]?.double)
            // What is left with f16 is rounding; these weights are exact in it.
            #expect(type == "f16" ? divergence < 1e-9 : divergence > 1e-6 && divergence < 1, "\(divergence)")
            let run = try QuernProcess.run(["run", file, "-p", "ab", "-n", "8", "--ignore-end"], input: [])
            #expect(run.code == 0 && run.errors.contains("8 generated at"), "\(run.errors)")
        }
        let plan = try QuernProcess.run("convert", folder, "--dry-run", "--json", "-o", scratch.path("plan.quern"))
        #expect(plan.code == 0, "\(plan.errors)")
        let inspect = try QuernProcess.run("inspect", scratch.path("q4.quern"), "--json")
        #expect(inspect.code == 0, "\(inspect.errors)")
    }

    /// The config says 512.
    @Test func contextBeyondTheConfig() throws {
        let scratch = try Scratch()
        let folder = try made("tied-llama3-rope", scratch), file = scratch.path("m.quern")
        #expect(try QuernProcess.run("convert", folder, "-o", file).code == 0)
        func run(_ context: String) throws -> QuernProcess {
            try QuernProcess.run(["run", file, "-p", "ab", "-n", "2", "--context", context], input: [])
        }
        let within = try run("512")
        #expect(within.code == 0 && !within.errors.contains("config.json"), "\(within.errors)")
        let beyond = try run("2048")
        #expect(beyond.code == 0, "\(beyond.errors)")
        #expect(beyond.errors.contains("context 2048: config.json says that the model was made for 512; unless it was trained on more, answers get worse beyond"))
        let far = try run("2049")
        #expect(far.code == 1 && far.errors.contains(
            "--context: 2049 positions, expected at most 2048: the model's config.json says that it was made for 512; choose fewer"), "\(far.errors)")
    }

    /// An embedding that is also the output head is multiplied by the head's input, whose moments the calibration has. Without them nothing is fed back in it.
    @Test func sharedEmbeddingIsCalibratedAsAHead() throws {
        let scratch = try Scratch()
        let folder = try made("tied-llama3-rope", scratch), calibration = scratch.path("c.qcal")
        let measured = try QuernProcess.run(
            "calibrate", folder, "--text", QuernProcess.fixture + "/sampled.txt", "--windows", "1", "--hessians", "-o", calibration)
        #expect(measured.code == 0, "\(measured.errors)")
        func quality(_ arguments: String...) throws -> Double {
            let file = scratch.path("m.quern")
            let run = try QuernProcess.run(["convert", folder, "-o", file, "--embedding-type", "q4"] + arguments, input: [])
            #expect(run.code == 0, "\(run.errors)")
            let tensors = try QuernProcess.run("inspect", file, "--json", "--tensors").json["tensors"]?.array
            return try #require(tensors?.first { $0["name"] == "model.embed_tokens.weight" }?["sqnr_db"]?.double)
        }
        let plain = try quality()
        #expect(try quality("--feedback") == plain)
        // Errors that cancel in the output are larger ones.
        #expect(try quality("--calibration", calibration, "--no-fit-grids") < plain - 0.01)
    }

    @Test func otherFormatsAreNamed() throws {
        let scratch = try Scratch()
        try Data("GGUF\u{3}\0\0\0".utf8).write(to: URL(filePath: scratch.path("m.gguf")))
        let gguf = try QuernProcess.run("convert", scratch.path("m.gguf"), "-o", scratch.path("m.quern"))
        #expect(gguf.code == 1 && gguf.errors.contains("this is a GGUF file; give the folder of the original safetensors checkpoint"), "\(gguf.errors)")
        for (change, text) in [
            ("\"model_type\":\"llama\"", "\"model_type\":\"mistral\"") : "found the string 'LlamaForCausalLM', model_type the string 'mistral'; Quern converts LLaMA-2, Llama-3",
            ("\"mlp_bias\":false", "\"quantization_config\":{\"quant_method\":\"awq\"}") : "quantization_config is present ('awq'): this checkpoint is already quantized",
            ("\"rope_type\":\"llama3\"", "\"rope_type\":\"yarn\"") : "rope_scaling.rope_type 'yarn' is not supported",
            ("\"attention_bias\":false", "\"attention_bias\":true") : "models with biases are not supported",
        ] as KeyValuePairs<(String, String), String> {
            let scratch = try Scratch()
            let folder = try made("tied-llama3-rope", scratch)
            try scratch.replace(change.0, change.1, in: "made/config.json")
            let run = try QuernProcess.run("convert", folder, "-o", scratch.path("m.quern"))
            #expect(run.code == 1 && run.errors.contains(text), "\(run.errors)")
            #expect(try scratch.names() == ["made"])
        }
    }
}
