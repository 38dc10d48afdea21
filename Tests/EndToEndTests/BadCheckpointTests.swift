import Foundation
import Glibc
import StrictJSON
import Testing

/// Bad input gives one message, exit code 1, and leaves nothing behind.
@Suite struct BadCheckpointTests {
    private static let shard = "checkpoint/model-00002-of-00003.safetensors"

    private func refused(_ scratch: Scratch, _ texts: String..., folder: String? = nil, arguments: [String] = []) throws {
        let before = try scratch.names()
        let target = folder ?? scratch.path("checkpoint")
        let run = try QuernProcess.start(["convert", target, "-o", scratch.path("m.quern")] + arguments).finish()
        #expect(run.code == 1, "\(run.errors)")
        #expect(run.errors.split(separator: "\n").count { $0.hasPrefix("quern: error: ") } == 1, "\(run.errors)")
        for text in texts { #expect(run.errors.contains(text), "'\(text)' is not in: \(run.errors)") }
        #expect(try scratch.names() == before)
    }

    @Test func missingShard() throws {
        let scratch = try Scratch()
        _ = try scratch.copyFixture()
        try FileManager.default.removeItem(atPath: scratch.path(Self.shard))
        try refused(scratch, "model-00002-of-00003.safetensors: missing", "download it again")
    }

    @Test func truncatedShard() throws {
        let scratch = try Scratch()
        _ = try scratch.copyFixture()
        try scratch.edit(Self.shard) { $0 = $0.prefix($0.count - 1000) }
        try refused(scratch, "model-00002-of-00003.safetensors: ")
    }

    @Test func allFaultsAtOnce() throws {
        let scratch = try Scratch()
        _ = try scratch.copyFixture()
        try FileManager.default.removeItem(atPath: scratch.path(Self.shard))
        try FileManager.default.removeItem(atPath: scratch.path("checkpoint/tokenizer.model"))
        let run = try QuernProcess.run("convert", scratch.path("checkpoint"), "-o", scratch.path("no/such/m.quern"))
        #expect(run.code == 1)
        for text in ["3 faults", "model-00002-of-00003.safetensors: missing", "no tokenizer", "the output folder \(scratch.path("no/such")) does not exist"] {
            #expect(run.errors.contains(text), "'\(text)' is not in: \(run.errors)")
        }
    }

    @Test func corruptedIndex() throws {
        let scratch = try Scratch()
        _ = try scratch.copyFixture()
        try scratch.edit("checkpoint/model.safetensors.index.json") { $0 = $0.prefix($0.count / 2) }
        try refused(scratch, "model.safetensors.index.json")
    }

    @Test func configThatDoesNotFit() throws {
        for (old, new, text) in [
            ("\"hidden_size\": 256", "\"hidden_size\": 512", "shape"),
            ("\"num_hidden_layers\": 8", "\"num_hidden_layers\": 9", "model.layers.8."),
            ("\"LlamaForCausalLM\"", "\"BertModel\"", "BertModel"),
            ("\"rope_scaling\": null", "\"rope_scaling\": {\"type\": \"yarn\", \"factor\": 4.0}", "yarn"),
            ("\"pretraining_tp\": 1", "\"quantization_config\": {\"quant_method\": \"gptq\"}", "quantization_config"),
            ("\"vocab_size\": 4096", "\"vocab_size\": \"many\"", "vocab_size"),
        ] {
            let scratch = try Scratch()
            _ = try scratch.copyFixture()
            try scratch.replace(old, new, in: "checkpoint/config.json")
            try refused(scratch, text)
        }
    }

    /// The first tensor of the shard, its place and its columns, from the header.
    private func firstMatrix(_ data: Data) throws -> (name: String, offset: Int, columns: Int) {
        let length = data.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
        let header = try JSONReader.read(Array(data[8..<8 + length]))
        let tensors = header.object?.members.filter { $0.value["shape"]?.array?.count == 2 } ?? []
        let first = try #require(tensors.min { ($0.value["data_offsets"]?.array?[0].int ?? 0) < ($1.value["data_offsets"]?.array?[0].int ?? 0) })
        return (first.key.string, 8 + length + first.value["data_offsets"]!.array![0].int!, first.value["shape"]!.array![1].int!)
    }

    @Test(arguments: [(UInt8(0x7C), UInt8(0), "inf"), (0x7E, 1, "nan"), (0xFC, 0, "-inf")], [(0, 0), (37, 5)])
    func nonFiniteWeight(bits: (UInt8, UInt8, String), place: (Int, Int)) throws {
        let scratch = try Scratch()
        _ = try scratch.copyFixture()
        let matrix = try firstMatrix(scratch.bytes(Self.shard))
        try scratch.edit(Self.shard) {
            let at = matrix.offset + 2 * (place.0 * matrix.columns + place.1)
            ($0[at], $0[at + 1]) = (bits.1, bits.0)
        }
        try refused(scratch, "tensor '\(matrix.name)'", "[\(place.0), \(place.1)] is \(bits.2), expected a finite number")
    }

    @Test func noTokenizer() throws {
        let scratch = try Scratch()
        _ = try scratch.copyFixture()
        try FileManager.default.removeItem(atPath: scratch.path("checkpoint/tokenizer.model"))
        try refused(scratch, "no tokenizer: neither tokenizer.model nor tokenizer.json is here")
    }

    @Test func damagedTokenizer() throws {
        let scratch = try Scratch()
        _ = try scratch.copyFixture()
        try scratch.edit("checkpoint/tokenizer.model") { $0 = $0.prefix($0.count / 2) }
        try refused(scratch, "tokenizer.model")
    }

    @Test func outputIsInput() throws {
        let scratch = try Scratch()
        let folder = try scratch.copyFixture()
        let name = "model-00001-of-00003.safetensors"
        let before = try scratch.bytes("checkpoint/\(name)")
        symlink("\(folder)/\(name)", scratch.path("link"))
        for output in ["\(folder)/\(name)", scratch.path("link"), "\(folder)/config.json"] {
            let run = try QuernProcess.run("convert", folder, "-o", output)
            #expect(run.code == 1)
            #expect(run.errors.contains("the output is the input "), "\(run.errors)")
        }
        #expect(try scratch.bytes("checkpoint/\(name)") == before)
    }

    @Test func otherOutputs() throws {
        let scratch = try Scratch()
        try Data("precious".utf8).write(to: URL(filePath: scratch.path("m.quern")))
        try refused(scratch, "the output exists and is no quern model file", folder: QuernProcess.fixture)
        #expect(try scratch.text("m.quern") == "precious")
        let folder = try QuernProcess.run("convert", QuernProcess.fixture, "-o", scratch.folder)
        #expect(folder.code == 1 && folder.errors.contains("the output is a folder"))
        #expect(try QuernProcess.run("convert", QuernProcess.fixture, "--type", "q7").code == 64)
        #expect(try QuernProcess.run("convert", QuernProcess.fixture, "--type", "f32").code == 64)
        #expect(try QuernProcess.run("convert", QuernProcess.fixture, "--threads", "0").code == 64)
    }

    @Test func outputNamesThatCannotBe() throws {
        let scratch = try Scratch()
        symlink(scratch.path("nowhere"), scratch.path("dangling"))
        symlink(scratch.path("loop"), scratch.path("loop"))
        for (name, text) in [
            ("", "the output's name is empty; give a file name with -o"),
            (scratch.path("dangling"), "the output is a symbolic link that leads nowhere"),
            (scratch.path("loop"), "the output is a symbolic link that leads nowhere"),
            (scratch.path(String(repeating: "x", count: 233)), "the output's name has 233 bytes, expected at most 232"),
            (scratch.path("m\u{FFFD}"), "is not valid UTF-8; choose another name"),
            (scratch.path("no\u{1B}[31m/m"), "no\\u{1b}[31m does not exist"),
        ] {
            for options in [[], ["--dry-run"]] {
                let run = try QuernProcess.run(["convert", QuernProcess.fixture, "-o", name] + options, input: [])
                #expect(run.code == 1 && run.errors.contains(text), "\(run.errors)")
            }
        }
        #expect(try scratch.names() == ["dangling", "loop"])
        let longest = String(repeating: "x", count: 232)
        #expect(try QuernProcess.run("convert", QuernProcess.fixture, "-o", scratch.path(longest)).code == 0)
        #expect(try scratch.names() == ["dangling", "loop", longest])
    }

    @Test func tokenizersThatAreNone() throws {
        for (name, content, text) in [
            ("tokenizer.model", "", "expected a SentencePiece model, found an empty file"),
            ("tokenizer.model", "no model", "expected a SentencePiece model, found bytes that are no protocol-buffer message"),
            ("tokenizer_config.json", "", "expected JSON, found an empty file"),
            ("tokenizer_config.json", "{", "byte 1: expected JSON, found something else (expected a key in double quotes, found the end of the text)"),
        ] {
            let scratch = try Scratch()
            let folder = try scratch.copyFixture()
            try Data(content.utf8).write(to: URL(filePath: "\(folder)/\(name)"))
            try refused(scratch, "\(name): ", text)
            let run = try QuernProcess.run(["tokenize", folder], input: [])
            #expect(run.code == 1 && run.errors.hasPrefix("quern: error: \(folder): \(name): ") && run.errors.contains(text), "\(run.errors)")
        }
    }

    @Test(.enabled(if: geteuid() != 0, "root may write everywhere"))
    func readOnlyFolder() throws {
        let scratch = try Scratch()
        try FileManager.default.createDirectory(atPath: scratch.path("locked"), withIntermediateDirectories: true)
        chmod(scratch.path("locked"), 0o555)
        let run = try QuernProcess.run("convert", QuernProcess.fixture, "-o", scratch.path("locked/m.quern"))
        #expect(run.code == 1 && run.errors.contains("is not writable"), "\(run.errors)")
    }

    /// A file system of two megabytes, which only root may have.
    private static func withSmallDisk(_ body: (String) throws -> Void) throws -> Bool {
        let scratch = try Scratch()
        let folder = scratch.path("small")
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        guard mount("tmpfs", folder, "tmpfs", 0, "size=2m") == 0 else { return false }
        defer { umount2(folder, Int32(MNT_DETACH)) }
        try body(folder)
        return true
    }

    private static let mayMount = (try? withSmallDisk { _ in }) ?? false

    @Test(.enabled(if: mayMount, "mounting a small disk is not permitted"))
    func fullDisk() throws {
        _ = try Self.withSmallDisk { folder in
            let run = try QuernProcess.run("convert", QuernProcess.fixture, "-o", "\(folder)/m.quern")
            #expect(run.code == 1)
            #expect(run.errors.contains("free some space or choose another folder with -o"), "\(run.errors)")
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == [])
        }
    }
}
