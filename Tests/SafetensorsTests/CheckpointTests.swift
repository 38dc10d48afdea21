import ByteStorage
import Glibc
import Safetensors
import StrictJSON
import Tensors
import Testing

/// The checkpoint that is part of the repository.
let tinyDocs = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(2).joined(separator: "/") + "/Fixtures/tiny-docs"

@Suite struct CheckpointTests {
    private let first = file(header(record("a", "[2]", 0, 4), record("b", "F32", "[1]", 4, 8)), data: 8)
    private let second = file(header(record("c", "BF16", "[3]", 0, 6)), data: 6)
    private let index = #"{"metadata":{"total_size":14},"weight_map":{"a":"m1.safetensors","b":"m1.safetensors","c":"m2.safetensors"}}"#

    private func folder(index: String? = nil, first: [UInt8]? = nil, second: [UInt8]? = nil) -> TemporaryFolder {
        let folder = TemporaryFolder()
        folder.write("model.safetensors.index.json", index ?? self.index)
        folder.write("m1.safetensors", first ?? self.first)
        folder.write("m2.safetensors", second ?? self.second)
        return folder
    }

    private func faults(_ folder: TemporaryFolder) -> [String] {
        do throws(CheckpointError) {
            _ = try Checkpoint.open(folder: folder.path)
            return []
        } catch {
            #expect(error.folder == folder.path)
            return error.faults
        }
    }

    @Test func bundledCheckpointOpens() throws {
        let checkpoint = try Checkpoint.open(folder: tinyDocs)
        #expect(checkpoint.shards.map(\.name) == (1...3).map { "model-0000\($0)-of-00003.safetensors" })
        #expect(checkpoint.tensors.count == 9 * 8 + 3)
        #expect(checkpoint.byteCount == 16_261_632)
        #expect(checkpoint.notes.isEmpty)
        for tensor in checkpoint.tensors {
            #expect(tensor.source == .f16)
            #expect(tensor.byteOffset + tensor.byteCount <= checkpoint.shards[tensor.shardIndex].size)
        }
        let embedding = checkpoint.tensors.first { $0.name == "model.embed_tokens.weight" }
        #expect(embedding?.shape == [4096, 256])
    }

    @Test func shardsAndTheirTensors() throws {
        let folder = folder()
        let checkpoint = try Checkpoint.open(folder: folder.path)
        #expect(checkpoint.tensors.map(\.name) == ["a", "b", "c"])
        #expect(checkpoint.tensors.map(\.shardIndex) == [0, 0, 1])
        #expect(checkpoint.tensors.map(\.dtypeName) == ["F16", "F32", "BF16"])
        #expect(checkpoint.byteCount == 14)
        // The bytes at the stated place are the tensor's.
        var bytes = [UInt8](repeating: 255, count: 4)
        let tensor = checkpoint.tensors[1]
        let file = checkpoint.shards[tensor.shardIndex].file
        try bytes.withUnsafeMutableBytes { try file.read(into: $0, at: tensor.byteOffset) }
        #expect(bytes == [4, 5, 6, 7])
    }

    @Test func singleFile() throws {
        let folder = TemporaryFolder()
        folder.write("model.safetensors", first)
        folder.write("other.safetensors", [])
        #expect(try Checkpoint.open(folder: folder.path).tensors.count == 2)
        folder.write("model.safetensors", Array(first.dropLast()))
        #expect(faults(folder) == ["model.safetensors: truncated: the header describes \(first.count) bytes, the file has \(first.count - 1); download it again"])
    }

    @Test func linkedShardsAreAllowed() throws {
        let folder = folder()
        folder.makeFolders("blobs")
        let digest = String(repeating: "0123456789abcdef", count: 4)
        rename("\(folder.path)/m2.safetensors", "\(folder.path)/blobs/\(digest)")
        symlink("blobs/\(digest)", "\(folder.path)/m2.safetensors")
        #expect(faults(folder) == [])
        #expect(DownloadRecords(folder: folder.path).recordedSHA256(of: "m2.safetensors") == digest)
        unlink("\(folder.path)/blobs/\(digest)")
        #expect(faults(folder) == ["m2.safetensors: missing; the index places 1 tensor in it; download it again"])
    }

    @Test func allFaultsAtOnce() throws {
        let folder = folder()
        folder.write("m4.safetensors", Array(second.dropLast(2)))
        folder.write("model.safetensors.index.json", #"""
            {"weight_map":{"a":"m1.safetensors","d":"m1.safetensors","c":"m1.safetensors","e":"m3.safetensors","f":"m3.safetensors",
            "g":"m4.safetensors","h":"m2.safetensors","i":"sub"}}
            """#)
        folder.makeFolders("sub")
        let error = #expect(throws: CheckpointError.self) { try Checkpoint.open(folder: folder.path) }
        #expect(error?.description == """
            \(folder.path): 7 faults
              m3.safetensors: missing; the index places 2 tensors in it; download it again
              m4.safetensors: truncated: the header describes \(second.count) bytes, the file has \(second.count - 2); download it again
              sub: no regular file
              m1.safetensors: tensor 'b' is here, the index does not list it
              m2.safetensors: tensor 'c' is here, the index places it in 'm1.safetensors'
              m1.safetensors: tensor 'd' is missing, the index places it here
              m2.safetensors: tensor 'h' is missing, the index places it here
            """)
    }

    @Test func tensorInTwoShards() {
        let folder = folder(second: file(header(record("b", "F32", "[1]", 0, 4), record("c", "BF16", "[3]", 4, 10)), data: 10))
        #expect(faults(folder) == ["m2.safetensors: tensor 'b' is also in 'm1.safetensors'"])
    }

    @Test func wrongTotalIsOnlyNoted() throws {
        let folder = folder(index: index.replacingFirst("14", with: "15"))
        #expect(try Checkpoint.open(folder: folder.path).notes
            == ["model.safetensors.index.json: total_size is 15, the tensors have 14 bytes; the tensors count"])
    }

    @Test(arguments: [
        ("", "byte 0: expected a value, found the end of the text"),
        (#"{"weight_map":{"a":"m1.safetensors""#, "byte 35: expected ',' or '}', found the end of the text"),
        (#"{"weight_map":{"a":"m1.safetensors","a":"m2.safetensors"}}"#, "byte 36: the key 'a' appears twice in one object"),
        ("{}", "'weight_map' is missing"), ("[]", "'weight_map' is missing"),
        (#"{"weight_map":[]}"#, "'weight_map' must be an object, found an array"), (#"{"weight_map":{}}"#, "'weight_map' is empty"),
        (#"{"weight_map":{"a":1}}"#, "tensor 'a': expected the name of a shard, found 1"),
        (#"{"weight_map":{"a":""}}"#, "the shard name '' is empty"),
        (#"{"weight_map":{"a":"."}}"#, "the shard name '.' contains '..' or is '.'; shards lie beside the index"),
        (#"{"weight_map":{"a":".."}}"#, "the shard name '..' contains '..' or is '.'; shards lie beside the index"),
        (#"{"weight_map":{"a":"../x"}}"#, "the shard name '../x' contains a path separator; shards lie beside the index"),
        (#"{"weight_map":{"a":"/x"}}"#, "the shard name '/x' contains a path separator; shards lie beside the index"),
        (#"{"weight_map":{"a":"x\\y"}}"#, "the shard name 'x\\y' contains a path separator; shards lie beside the index"),
        (#"{"weight_map":{"a":"x\u0000"}}"#, "the shard name 'x\\u{0}' contains a control character"),
    ])
    func refusesIndex(text: String, fault: String) {
        #expect(faults(folder(index: text)) == ["model.safetensors.index.json: " + fault])
    }

    @Test func nothingToOpen() throws {
        let folder = TemporaryFolder()
        let nothing = "neither model.safetensors nor model.safetensors.index.json is here"
        #expect(faults(folder) == [nothing + "; give the folder of a downloaded safetensors checkpoint"])
        folder.write("model-00001-of-00002.safetensors", first)
        #expect(faults(folder) == [nothing + ", only safetensors files of other names; download model.safetensors.index.json as well"])
        folder.write("pytorch_model-00001-of-00002.bin", [])
        #expect(faults(folder) == [
            nothing + ", only pytorch_model*.bin, which can run code when opened. Download the safetensors files of the same model, "
                + "or write them with transformers: AutoModelForCausalLM.from_pretrained(IN).save_pretrained(OUT)"
        ])
        let missing = #expect(throws: CheckpointError.self) { try Checkpoint.open(folder: folder.path + "/none") }
        #expect(missing?.faults == ["the folder does not exist; give the folder of a downloaded checkpoint"])
        let notFolder = #expect(throws: CheckpointError.self) { try Checkpoint.open(folder: folder.path + "/model-00001-of-00002.safetensors") }
        #expect(notFolder?.faults == ["this is no folder; give the folder that holds the checkpoint's files"])
        folder.write("m.gguf", Array("GGUF\u{3}".utf8))
        let gguf = #expect(throws: CheckpointError.self) { try Checkpoint.open(folder: folder.path + "/m.gguf") }
        #expect(gguf?.faults == ["this is a GGUF file; give the folder of the original safetensors checkpoint"])
        for (name, text) in [
            ("consolidated.00.pth", ", only consolidated*.pth, Meta's own format; download the same model in Hugging Face format, as safetensors files"),
            ("adapter_config.json", ", only an adapter (adapter_config.json); merge it into its base model with peft: model.merge_and_unload().save_pretrained(OUT)"),
            ("m.gguf", ", only GGUF files; give the folder of the original safetensors checkpoint"),
        ] {
            let folder = TemporaryFolder()
            folder.write(name, [1])
            #expect(faults(folder) == [nothing + text])
        }
    }

    @Test func twoModelsInOneFolder() {
        let folder = folder()
        folder.write("model.safetensors", first)
        #expect(faults(folder) == ["holds both model.safetensors and an index of other shards; move the one that is not wanted out of the folder"])
    }

    @Test func namesThatSwiftCallsEqualAreDifferentTensors() throws {
        let folder = folder(
            index: "{\"weight_map\":{\"\u{E9}\":\"m1.safetensors\",\"e\u{301}\":\"m2.safetensors\"}}",
            first: file(header(record("\u{E9}", "[1]", 0, 2)), data: 2), second: file(header(record("e\u{301}", "[1]", 0, 2)), data: 2))
        #expect(faults(folder) == [])
    }

    @Test func downloadRecords() {
        let folder = TemporaryFolder()
        folder.makeFolders(".cache/huggingface/download")
        let records = DownloadRecords(folder: folder.path)
        let digest = String(repeating: "0123456789abcdef", count: 4)
        func recorded(_ text: String) -> String? {
            folder.write(".cache/huggingface/download/m.safetensors.metadata", text)
            return records.recordedSHA256(of: "m.safetensors")
        }
        #expect(records.recordedSHA256(of: "m.safetensors") == nil)
        #expect(recorded("b7d1b4\n\(digest)\n1700000000.5\n") == digest)
        #expect(recorded("b7d1b4\r\n\(digest.uppercased())\r\n1700000000.5\r\n") == digest)
        #expect(recorded("b7d1b4\n\(digest.prefix(40))\n1700000000.5\n") == nil)
        #expect(recorded("b7d1b4\n\(digest.dropLast())g\n1700000000.5\n") == nil)
        #expect(recorded("") == nil)
        #expect(recorded(String(repeating: "x", count: 5000)) == nil)
        #expect(records.recordedSHA256(of: "../m.safetensors") == nil)
    }
}

extension String {
    fileprivate func replacingFirst(_ old: String, with new: String) -> String {
        guard let range = firstRange(of: old) else { return self }
        return self[..<range.lowerBound] + new + self[range.upperBound...]
    }
}
