import Glibc

/// Whether a command's result can be written to where it shall go: asked before the work, which may take hours.
package enum OutputFile {
    /// Throws unless a result can be written to `path` without the loss of anything else.
    ///
    /// - Parameters:
    ///   - option: names the output in advice.
    ///   - inputs: files that are read.
    ///   - earlier: what an earlier result is called, and the bytes with which each begins. A file that is there and begins otherwise is refused,
    ///     an empty one is not. Nil: any file may be replaced.
    package static func check(
        _ path: String, option: String = "-o", inputs: [String] = [], earlier: (kind: String, start: [UInt8])? = nil
    ) throws(FileError) {
        try checkName(path, option: option)
        try checkFolder(path, option: option)
        try checkTarget(path, option: option)
        try checkLink(path, option: option)
        for input in inputs where isSame(path, input) { throw fault(path, "the output is the input \(input)", "choose another name with \(option)") }
        if let earlier, Folders.kind(of: path) == .file {
            let existing = try? ReadableFile(path: path)
            guard existing?.size == 0 || existing?.begins(with: earlier.start) == true else {
                throw fault(path, "the output exists and is no \(earlier.kind)", "remove it or choose another name with \(option)")
            }
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

    /// Refuses what renaming a file over it would destroy or cannot replace: folders, devices, pipes. Without an option, advice names none.
    package static func checkTarget(_ path: String, option: String? = nil) throws(FileError) {
        let with = option.map { " with \($0)" } ?? ""
        switch Folders.kind(of: path) {
        case .file, .missing: break
        case .folder: throw fault(path, "the output is a folder", "give a file name\(with)")
        case .other: throw fault(path, "the output exists and is no regular file", "choose another name\(with)")
        }
    }

    package static func checkLink(_ path: String, option: String = "-o") throws(FileError) {
        if Folders.kind(of: path) == .missing, Folders.isLink(path) {
            throw fault(path, "the output is a symbolic link that leads nowhere", "remove it or choose another name with \(option)")
        }
    }

    /// Whether both are there and one file, whatever paths lead to it.
    private static func isSame(_ one: String, _ other: String) -> Bool {
        guard let one = try? ReadableFile(path: one), let other = try? ReadableFile(path: other) else { return false }
        return one.isSame(as: other)
    }

    private static func fault(_ path: String, _ reason: String, _ advice: String) -> FileError {
        FileError(operation: "write", path: path, errno: EINVAL, reason: reason, advice: advice)
    }
}
