import Glibc

/// Whether a command's result can be written to where it shall go: asked before the work, which may take hours.
package enum OutputFile {
    /// Throws unless a result can be written to `path` without the loss of anything else.
    ///
    /// - Parameters:
    ///   - option: names the output in advice.
    ///   - kind: what is going to be written, such as "calibration file".
    ///   - start: bytes with which every such file begins. A file that is there and begins otherwise is refused, an empty one is not. Empty: any
    ///     file may be replaced.
    ///   - inputs: files that are read.
    package static func check(_ path: String, option: String = "-o", kind: String, start: [UInt8], inputs: [String] = []) throws(FileError) {
        try checkName(path, option: option)
        try checkFolder(path, option: option)
        try checkTarget(path, option: option)
        for input in inputs where isSame(path, input) { throw fault(path, "the output is the input \(input)", "choose another name with \(option)") }
        if Folders.kind(of: path) == .file, !begins(path, start) {
            throw fault(path, "the output exists and is no \(kind)", "remove it or choose another name with \(option)")
        }
    }

    /// Whether a file of this name can be written at all.
    package static func checkName(_ path: String, option: String = "-o") throws(FileError) {
        let length = AtomicFileWriter.split(path).name.utf8.count
        if length == 0 { throw fault(path, "the output's name is empty", "give a file name with \(option)") }
        // Other bytes in an argument have become U+FFFD before anybody could see them.
        if path.unicodeScalars.contains("\u{FFFD}") { throw fault(path, "the output's name is not valid UTF-8", "choose another name with \(option)") }
        if length > AtomicFileWriter.longestName {
            throw fault(
                path, "the output's name has \(length) bytes, expected at most \(AtomicFileWriter.longestName), so that a temporary file's name fits beside it",
                "choose a shorter name with \(option)")
        }
    }

    package static func checkFolder(_ path: String, option: String = "-o") throws(FileError) {
        let folder = AtomicFileWriter.split(path).folder
        switch Folders.kind(of: folder) {
        case .missing: throw fault(path, "the output folder \(folder) does not exist", "create it or choose another with \(option)")
        case .file, .other: throw fault(path, "\(folder) is no folder", "choose another output with \(option)")
        case .folder:
            if !Folders.isWritable(folder) { throw fault(path, "the output folder \(folder) is not writable", "choose another with \(option)") }
        }
    }

    /// Refuses what renaming a file over it would destroy or cannot replace: folders, devices, pipes, links that lead nowhere.
    package static func checkTarget(_ path: String, option: String = "-o") throws(FileError) {
        switch Folders.kind(of: path) {
        case .file: break
        case .folder: throw fault(path, "the output is a folder", "give a file name with \(option)")
        case .other: throw fault(path, "the output exists and is no regular file", "choose another name with \(option)")
        case .missing:
            if Folders.isLink(path) {
                throw fault(path, "the output is a symbolic link that leads nowhere", "remove it or choose another name with \(option)")
            }
        }
    }

    /// Whether both are there and one file, whatever paths lead to it.
    package static func isSame(_ one: String, _ other: String) -> Bool {
        guard let one = try? ReadableFile(path: one), let other = try? ReadableFile(path: other) else { return false }
        return one.device == other.device && one.inode == other.inode
    }

    private static func begins(_ path: String, _ start: [UInt8]) -> Bool {
        guard let file = try? ReadableFile(path: path) else { return false }
        if file.size == 0 || start.isEmpty { return true }
        guard file.size >= UInt64(start.count) else { return false }
        var bytes = [UInt8](repeating: 0, count: start.count)
        let isRead = bytes.withUnsafeMutableBytes { (try? file.read(into: $0, at: 0)) != nil }
        return isRead && bytes == start
    }

    private static func fault(_ path: String, _ reason: String, _ advice: String) -> FileError {
        FileError(operation: "write", path: path, errno: EINVAL, reason: reason, advice: advice)
    }
}
