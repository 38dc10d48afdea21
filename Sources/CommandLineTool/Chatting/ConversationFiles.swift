import ByteStorage
import Chat
import Conversion
import Glibc
import LineEditing
import StrictJSON

/// Saved conversations: JSON, readable by their owner alone.
enum ConversationFiles {
    private static let largest: UInt64 = 256 << 20

    /// Replaces a file only if that is a saved conversation, too.
    static func save(_ transcript: Transcript, to path: String) throws {
        switch Folders.kind(of: path) {
        case .missing: break
        case .file:
            guard (try? read(path)).map(Transcript.isDocument) == true else {
                throw ConversionError("\(path): not saved: a file of this name is there and is no saved conversation; give another name")
            }
        default: throw ConversionError("\(path): not saved: this is no file; give the name of a file")
        }
        try AtomicFileWriter.write(transcript.document.serialized(pretty: true) + [0x0A], to: path, isPrivate: true)
    }

    static func load(_ path: String) throws -> Transcript {
        let document: JSONValue
        do { document = try read(path) } catch let error as JSONError { throw ConversionError("\(path): no JSON: \(error); give a file made with /save") }
        do { return try Transcript(document: document) } catch { throw ConversionError("\(path): \(error)") }
    }

    private static func read(_ path: String) throws -> JSONValue {
        try JSONReader.read(ReadableFile(path: path).readAll(limit: largest), limits: JSONReader.Limits(depth: 16))
    }
}

/// The lines typed in earlier chats, for those who asked for it. `$XDG_STATE_HOME/quern/chat-history`, or `~/.local/state/...`.
struct HistoryFile {
    let path: String
    private static let largest: UInt64 = 64 << 20

    /// Nil when the environment names no folder.
    init?() {
        func folder(_ name: String) -> String? { getenv(name).map { String(cString: $0) }.flatMap { $0.hasPrefix("/") ? $0 : nil } }
        guard let state = folder("XDG_STATE_HOME") ?? folder("HOME").map({ $0 + "/.local/state" }) else { return nil }
        path = state + "/quern/chat-history"
    }

    func read() throws -> History {
        guard Folders.kind(of: path) != .missing else { return History() }
        return History(file: String(decoding: try ReadableFile(path: path).readAll(limit: Self.largest), as: UTF8.self))
    }

    func write(_ history: History) throws {
        var folder = ""
        for part in AtomicFileWriter.split(path).folder.split(separator: "/") {
            folder += "/" + part
            if Folders.kind(of: folder) == .missing, mkdir(folder, 0o700) != 0, errno != EEXIST {
                throw FileError(operation: "create the folder", path: folder, errno: errno)
            }
        }
        try AtomicFileWriter.write(Array(history.fileText.utf8), to: path, isPrivate: true)
    }
}
