import Foundation
import ModelFiles
import StrictJSON
import TestSupport
import Testing
import TokenizerProbes

/// A checkpoint with a byte-level tokenizer, from tokenizer.json to generated text.
@Suite struct ByteLevelTests {
    private static let text = "hello hello  naïve 🦙 12345 <|eot_id|>\r\n"

    /// The bundled checkpoint with another tokenizer: bytes, four merges, two control tokens.
    private func checkpoint(_ scratch: Scratch, _ change: (inout JSONObject) -> Void = { _ in }) throws -> String {
        let folder = try scratch.copyFixture()
        try FileManager.default.removeItem(atPath: "\(folder)/tokenizer.model")
        var other: UInt32 = 0x100
        var vocabulary = JSONObject()
        for byte in 0..<256 {
            let itself = (0x21...0x7E).contains(byte) || (0xA1...0xAC).contains(byte) || byte >= 0xAE
            let scalar = itself ? UnicodeScalar(UInt8(byte)) : UnicodeScalar(other)!
            if !itself { other += 1 }
            vocabulary.set(String(Character(scalar)), JSONValue(byte))
        }
        let merges = [("h", "e"), ("l", "l"), ("he", "ll"), ("hell", "o")]
        for (index, (left, right)) in merges.enumerated() { vocabulary.set(left + right, JSONValue(256 + index)) }
        let expression = #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
        var root: JSONObject = [
            "added_tokens": [["id": 300, "content": "<|begin|>", "special": true], ["id": 301, "content": "<|eot_id|>", "special": true]],
            "pre_tokenizer": [
                "type": "Sequence",
                "pretokenizers": [
                    ["type": "Split", "pattern": ["Regex": JSONValue(expression)], "behavior": "Isolated", "invert": false],
                    ["type": "ByteLevel", "add_prefix_space": false, "use_regex": false],
                ],
            ],
            "decoder": ["type": "ByteLevel"],
            "model": [
                "type": "BPE", "vocab": JSONValue(vocabulary), "merges": JSONValue(merges.map { [JSONValue($0.0), JSONValue($0.1)] }),
            ],
        ]
        change(&root)
        try Data(JSONValue(root).serialized()).write(to: URL(filePath: "\(folder)/tokenizer.json"))
        try Data(#"{"bos_token": "<|begin|>", "eos_token": "<|eot_id|>"}"#.utf8).write(to: URL(filePath: "\(folder)/tokenizer_config.json"))
        try? FileManager.default.removeItem(atPath: "\(folder)/generation_config.json")
        return folder
    }

    @Test func fromCheckpointToText() throws {
        let scratch = try Scratch()
        let folder = try checkpoint(scratch), file = scratch.path("m.quern")
        let converted = try QuernProcess.run("convert", folder, "-o", file)
        #expect(converted.code == 0, "\(converted.errors)")
        var ids: [String] = []
        for path in [folder, file] {
            let run = try QuernProcess.run(["tokenize", path], input: Array(Self.text.utf8))
            #expect(run.code == 0, "\(run.errors)")
            ids.append(run.output)
            #expect(run.output.hasPrefix("300 259 32 259 32 32 110 97 195 175 118 101 32 240 159 166 153 32 49 50 51 52 53 32 60 124"))
            let special = try QuernProcess.run(["tokenize", path, "--special", "--no-bos"], input: Array("<|eot_id|>".utf8))
            #expect(special.output == "301\n")
        }
        let back = try QuernProcess.run(["tokenize", file, "--decode", "-0"], input: Array(ids[1].utf8))
        #expect(back.output == Self.text)
        let run = try QuernProcess.run("run", file, "-p", "hello", "-n", "3")
        #expect(run.code == 0, "\(run.errors)")
        #expect(try QuernProcess.run("verify", file, "--against", folder).code == 0)
        let shown = try QuernProcess.run("inspect", file)
        #expect(shown.output.contains("tokenizer.json, tokenizer_config.json, byte_level.vocabulary"), "\(shown.output)")
        if ReferenceReader.canOpenFiles {
            let reader = try ReferenceReader.run(["verify", file])
            #expect(reader.status == 0, "\(reader.errors)")
        }
    }

    /// A file that another program recorded other ids in; digests are right.
    @Test func aDifferentTokenizerIsNoticed() throws {
        let scratch = try Scratch()
        for folder in [QuernProcess.fixture, try checkpoint(scratch)] {
            let file = scratch.path("m.quern")
            #expect(try QuernProcess.run("convert", folder, "-o", file).code == 0)
            try rewriteMetadata(of: file) { metadata in
                #expect(metadata.tokenizerProbes.count > 20)
                metadata.tokenizerProbes[4].ids[0] += 1
            }
            for command in [["run", file, "-p", "x"], ["tokenize", file], ["eval", file, "--text", "\(QuernProcess.fixture)/sampled.txt"]] {
                let run = try QuernProcess.run(command, input: [])
                #expect(run.code == 1)
                #expect(run.errors.contains("probe 4, 'Hello world': expected the ids ") && run.errors.contains("convert the model again"), "\(run.errors)")
            }
            if ReferenceReader.canOpenFiles, folder != QuernProcess.fixture {
                #expect(try ReferenceReader.run(["verify", file]).errors.contains("tokenizer_probes: 'Hello world'"))
            }
        }
    }

    @Test func brokenFilesAreNamed() throws {
        let scratch = try Scratch()
        let cases: [(change: (inout JSONObject) -> Void, message: String)] = [
            ({ $0.set("model", ["type": "BPE", "vocab": ["a": 0], "merges": []]) }, "tokenizer.json: model.vocab: expected a token for each of 256 bytes"),
            ({ $0.set("added_tokens", [["id": -1, "content": "x"]]) }, "tokenizer.json: added_tokens[0].id: expected a token id, found -1"),
            ({ $0.set("normalizer", ["type": "NFC"]) }, "tokenizer.json: normalizer: expected no normalizer, found the normalizer 'NFC'"),
        ]
        for (change, message) in cases {
            let folder = try checkpoint(scratch, change)
            let run = try QuernProcess.run("convert", folder, "-o", scratch.path("m.quern"))
            #expect(run.code == 1 && run.errors.contains(message), "\(run.errors)")
            #expect(run.errors.split(separator: "\n").count { $0.hasPrefix("quern: error: ") } == 1, "\(run.errors)")
            try FileManager.default.removeItem(atPath: folder)
        }
        #expect(try scratch.names() == [])
    }

    private func rewriteMetadata(of path: String, _ change: (inout ModelMetadata) -> Void) throws {
        let reader = try ModelFileReader(path: path)
        var metadata = reader.metadata
        change(&metadata)
        let content = metadata.encoded()
        let stored = ZstdFrame.compress(content)
        let old = reader.header.sections
        let whole = [UInt8](try Data(contentsOf: URL(filePath: path)))
        var sections: [ModelFileHeader.Section] = []
        var file = [UInt8](repeating: 0, count: 4096)
        for section in old {
            file += [UInt8](repeating: 0, count: (64 - file.count % 64) % 64)
            var section = section
            var body = Array(whole[Int(section.offset)..<Int(section.end)])
            if section.kind == .metadata {
                body = stored
                section.storedBytes = UInt64(stored.count)
                section.contentBytes = UInt64(content.count)
                section.sha256 = Digest32.of(stored)
            }
            section.offset = UInt64(file.count)
            file += body
            sections.append(section)
        }
        file.replaceSubrange(0..<4096, with: ModelFileHeader(sections: sections, isByteLevel: reader.header.isByteLevel).encoded())
        try Data(file).write(to: URL(filePath: path))
    }
}
