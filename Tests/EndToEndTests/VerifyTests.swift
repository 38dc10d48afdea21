import Foundation
import StrictJSON
import Testing

@Suite struct VerifyTests {
    private func convert(_ scratch: Scratch, _ folder: String = QuernProcess.fixture) throws {
        let run = try QuernProcess.run("convert", folder, "-o", scratch.path("m.quern"))
        #expect(run.code == 0, "\(run.errors)")
    }

    @Test func gateHasItsOwnExitCode() throws {
        let scratch = try Scratch()
        try convert(scratch)
        #expect(try QuernProcess.run("verify", scratch.path("m.quern"), "--min-sqnr", "10").code == 0)
        let missed = try QuernProcess.run("verify", scratch.path("m.quern"), "--min-sqnr", "60")
        #expect(missed.code == 2)
        #expect(missed.errors.contains("expected at least 60.00 dB (--min-sqnr)"))
        #expect(try QuernProcess.run("verify").code == 64)
    }

    @Test func damagedTensorIsNamed() throws {
        let scratch = try Scratch()
        try convert(scratch)
        try scratch.edit("m.quern") { $0[5000] ^= 1 }
        let run = try QuernProcess.run("verify", scratch.path("m.quern"))
        #expect(run.code == 1)
        #expect(run.errors.contains("tensor 'model.embed_tokens.weight'"), "\(run.errors)")
        #expect(run.output.isEmpty)
    }

    @Test(arguments: [0, 100, 4095, 4096, 1_000_000])
    func truncatedFile(length: Int) throws {
        let scratch = try Scratch()
        try convert(scratch)
        try scratch.edit("m.quern") { $0 = $0.prefix(length) }
        for command in ["verify", "inspect"] {
            let run = try QuernProcess.run(command, scratch.path("m.quern"))
            #expect(run.code == 1)
            #expect(run.errors.hasPrefix("quern: error: \(scratch.path("m.quern")): "), "\(run.errors)")
        }
    }

    @Test func otherFilesAreNamed() throws {
        let scratch = try Scratch()
        let shard = try QuernProcess.run("verify", "\(QuernProcess.fixture)/model-00001-of-00003.safetensors")
        #expect(shard.code == 1)
        #expect(shard.errors.contains("safetensors file"), "\(shard.errors)")
        try convert(scratch)
        try scratch.edit("m.quern") { $0[8] = 2 }
        let newer = try QuernProcess.run("inspect", scratch.path("m.quern"))
        #expect(newer.code == 1)
        #expect(newer.errors.contains("version 2"), "\(newer.errors)")
        #expect(try QuernProcess.run("inspect", scratch.path("nothing")).code == 1)
    }

    /// A weight of the source that differs changes the figures of its tensor, and only these.
    @Test func changedSourceIsNamed() throws {
        let scratch = try Scratch()
        let folder = try scratch.copyFixture()
        try convert(scratch, folder)
        let name = "checkpoint/model-00003-of-00003.safetensors"
        try scratch.edit(name) { $0[$0.count - 2] ^= 0x10 }
        let run = try QuernProcess.run("verify", scratch.path("m.quern"), "--against", folder, "--json")
        #expect(run.code == 1)
        let report = try run.json
        #expect(report["ok"] == false)
        let lines = report["differences"]?.array?.compactMap(\.string) ?? []
        #expect(lines.count == 2, "\(lines)")
        #expect(lines.first?.contains("model-00003-of-00003.safetensors: its SHA-256 is ") == true)
        #expect(lines.last?.hasPrefix("tensor '") == true && lines.last?.contains("but the file records") == true)
    }

    @Test func inspectShowsBothKindsAndTheMachine() throws {
        let scratch = try Scratch()
        try convert(scratch)
        let file = try QuernProcess.run("inspect", scratch.path("m.quern"), "--tensors")
        #expect(file.code == 0)
        for text in ["8 layers", "bits per weight", "made from", "model.layers.7.mlp.down_proj.weight"] { #expect(file.output.contains(text), "\(text)") }
        let folder = try QuernProcess.run("inspect", QuernProcess.fixture, "--json")
        #expect(try folder.json["kind"] == "checkpoint")
        #expect(try folder.json["shards"]?.array?.count == 3)
        let machine = try QuernProcess.run("inspect", "--machine", "--json").json
        #expect(machine["instruction_set"]?["selected"]?.string != nil)
        #expect(try #require(machine["memory"]?["physical_bytes"]?.int) > 0)
        #expect(try #require(machine["cpu"]?["default_threads"]?.int) >= 1)
        #expect(try QuernProcess.run("inspect").code == 64)
    }
}
