import ByteStorage

extension Checkpoint {
    struct Fault: Error { let line: String }

    /// A symbolic link is followed; what it leads to must be a regular file.
    static func openShard(_ name: String, in folder: String, missing: String) -> Result<Shard, Fault> {
        let path = "\(folder)/\(name)"
        switch Folders.kind(of: path) {
        case .missing: return .failure(Fault(line: "\(name): \(missing)"))
        case .folder, .other: return .failure(Fault(line: "\(name): no regular file"))
        case .file: break
        }
        do {
            let opened = try SafetensorsFile.open(path)
            return .success(Shard(name: name, path: path, size: opened.file.size, file: opened.file, header: opened.header))
        } catch {
            return .failure(Fault(line: "\(error)"))
        }
    }

    static func readIndex(_ folder: String) throws(CheckpointError) -> SafetensorsIndex {
        let bytes: [UInt8]
        do throws(FileError) {
            bytes = try ReadableFile(path: "\(folder)/\(SafetensorsIndex.fileName)").readAll(limit: SafetensorsIndex.largestFile)
        } catch { throw CheckpointError(folder: folder, faults: ["\(error)"]) }
        do throws(SafetensorsIndex.Faults) { return try SafetensorsIndex(bytes) } catch {
            throw CheckpointError(folder: folder, faults: error.lines)
        }
    }

    /// What a path leads to that is no folder.
    static func whatItIs(_ path: String) -> String {
        let advice = "give the folder that holds the checkpoint's files"
        guard Folders.kind(of: path) == .file, let file = try? ReadableFile(path: path) else { return "this is no folder; \(advice)" }
        if file.begins(with: Array("GGUF".utf8)) { return "this is a GGUF file; give the folder of the original safetensors checkpoint" }
        return "this is no folder; \(advice)"
    }

    /// The reason why there is nothing to open, with the way out.
    static func whatElseIsThere(_ folder: String) -> String {
        let nothing = "neither \(singleFile) nor \(SafetensorsIndex.fileName) is here"
        guard let names = try? Folders.names(in: folder) else { return nothing }
        if names.contains(where: { $0.hasPrefix("pytorch_model") && $0.hasSuffix(".bin") }) {
            return nothing + ", only pytorch_model*.bin, which can run code when opened. Download the safetensors files of the "
                + "same model, or write them with transformers: AutoModelForCausalLM.from_pretrained(IN).save_pretrained(OUT)"
        }
        if names.contains(where: { $0.hasPrefix("consolidated") && $0.hasSuffix(".pth") }) {
            return nothing + ", only consolidated*.pth, Meta's own format; download the same model in Hugging Face format, as safetensors files"
        }
        if names.contains("adapter_config.json") {
            return nothing + ", only an adapter (adapter_config.json); merge it into its base model with peft: "
                + "model.merge_and_unload().save_pretrained(OUT)"
        }
        if names.contains(where: { $0.hasSuffix(".gguf") }) {
            return nothing + ", only GGUF files; give the folder of the original safetensors checkpoint"
        }
        if names.contains(where: { $0.hasSuffix(".safetensors") }) {
            return nothing + ", only safetensors files of other names; download \(SafetensorsIndex.fileName) as well"
        }
        return nothing + "; give the folder of a downloaded safetensors checkpoint"
    }
}
