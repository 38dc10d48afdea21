import ByteStorage
import Conversion
import Generation
import Inference
import SessionFiles
import StrictJSON

/// The session file of `run` and `chat`: what stands in the cache, from one run of the program to the next.
struct KeptSession {
    let path: String
    /// What was restored; empty where there is no file yet.
    private(set) var tokens: [Int32] = []
    private(set) var conversation: JSONValue?
    private let isExact: Bool

    /// Restores the cache of `session` from the file. A file that is not there is made by `save`, if its folder is.
    init(path: String, restoring session: LlamaSession) throws {
        self.path = path
        let folder = AtomicFileWriter.split(path).folder
        guard Folders.kind(of: path) != .missing else {
            // Now, not after an hour's work.
            guard Folders.kind(of: folder) == .folder, Folders.isWritable(folder) else {
                throw ConversionError("\(path): cannot be written: \(folder) is no folder in which this user may create files; give another --session file")
            }
            isExact = true
            return
        }
        let file = try SessionFile(path: path)
        try file.restore(into: session)
        tokens = file.tokens
        conversation = file.metadata["conversation"]
        isExact = file.kind.isExact
    }

    func save(_ generator: TextGenerator, conversation: JSONValue? = nil) throws {
        var metadata: JSONObject = ["generator": ["name": JSONValue(ToolVersion.name), "version": JSONValue(ToolVersion.text)]]
        if let conversation { metadata.set("conversation", conversation) }
        try SessionFileWriter.write(generator.session, tokens: generator.tokens, isExact: isExact, metadata: metadata, to: path)
    }
}
