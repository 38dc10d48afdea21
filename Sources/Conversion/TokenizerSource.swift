import ByteStorage
import ModelFiles
import Tokenization
import TokenizerProbes

/// The tokenizer files of a checkpoint folder.
struct TokenizerSource {
    let folder: String
    private(set) var faults: [String] = []
    private(set) var notes: [String] = []
    /// What the tokenizer makes of the built-in texts.
    private(set) var probes: [TokenizerProbe] = []

    private static let largestFile: UInt64 = 64 << 20

    init(folder: String) { self.folder = folder }

    /// Reads the files that belong into a model file and builds the tokenizer once, as a program that runs the file will.
    mutating func read(vocabulary: Int?, config: String?, generationConfig: String?) -> TokenizerArchive? {
        var files: [TokenizerArchive.File] = []
        for name in TokenizerArchive.checkpointNames where Folders.kind(of: "\(folder)/\(name)") != .missing {
            do throws(FileError) {
                files.append(TokenizerArchive.File(name: name, bytes: try ReadableFile(path: "\(folder)/\(name)").readAll(limit: Self.largestFile)))
            } catch { faults.append("\(error)") }
        }
        guard faults.isEmpty else { return nil }
        if files.contains(where: { $0.name == "tokenizer.json" }) {
            files.removeAll { $0.name == "tokenizer.model" && TokenizerFiles.isRankList($0.bytes) }
        }
        guard files.contains(where: { $0.name == "tokenizer.model" || $0.name == "tokenizer.json" }) else {
            faults.append("no tokenizer: neither tokenizer.model nor tokenizer.json is here; download it with the shards")
            return nil
        }
        var archive = TokenizerArchive(files: files)
        // Without a readable config there is a fault already.
        guard let vocabulary else { return archive }
        do throws(TokenizationError) {
            if archive["tokenizer.model"] == nil, let json = archive["tokenizer.json"],
                let compact = try Tokenizer.byteLevelVocabulary(fromJSON: json, vocabularySize: vocabulary)
            {
                archive = TokenizerArchive(files: files + [TokenizerArchive.File(name: TokenizerArchive.byteLevelName, bytes: compact)]).packed()
            }
            var files = TokenizerFiles(
                model: archive["tokenizer.model"], json: archive["tokenizer.json"],
                byteLevel: archive[TokenizerArchive.byteLevelName],
                configuration: archive["tokenizer_config.json"], addedTokens: archive["added_tokens.json"],
                specialTokensMap: archive["special_tokens_map.json"], generationConfiguration: generationConfig.map { Array($0.utf8) },
                vocabularySize: vocabulary)
            files.modelConfiguration = config.map { Array($0.utf8) }
            let tokenizer = try Tokenizer(files: files)
            notes += tokenizer.notes
            probes = tokenizer.probes()
        } catch { faults.append("\(error)") }
        return archive
    }
}
