package import ByteStorage
import ModelFiles

/// Where the page goes. Checked before anything takes long.
package struct ReportOutput: Sendable {
    package let path: String

    /// `inputs` must not be overwritten.
    package init(path: String, inputs: [String]) throws(ReportError) {
        self.path = path
        let (folder, name) = AtomicFileWriter.split(path)
        func fault(_ text: String) -> ReportError { ReportError("\(path): \(text)") }
        if name.isEmpty { throw fault("the output's name is empty; give a file name with -o") }
        if name.utf8.count > AtomicFileWriter.longestName {
            throw fault("the output's name has \(name.utf8.count) bytes, expected at most \(AtomicFileWriter.longestName); choose a shorter name with -o")
        }
        switch Folders.kind(of: folder) {
        case .missing: throw fault("the output folder \(folder) does not exist; create it or choose another with -o")
        case .file, .other: throw fault("\(folder) is no folder; choose another output with -o")
        case .folder: if !Folders.isWritable(folder) { throw fault("the output folder \(folder) is not writable; choose another with -o") }
        }
        switch Folders.kind(of: path) {
        case .missing: break
        case .folder: throw fault("the output is a folder; give a file name with -o")
        case .other: throw fault("the output exists and is no regular file; choose another name with -o")
        case .file:
            if ModelFileReader.looksLikeModelFile(path) { throw fault("the output is a quern model file; choose another name with -o") }
            for input in inputs where Self.isSame(path, input) { throw fault("the output is the input \(input); choose another name with -o") }
        }
    }

    /// The name when none was given: that of the model file, in the current folder.
    package static func defaultPath(file: String) -> String {
        var name = AtomicFileWriter.split(file).name
        if name.hasSuffix(".quern") { name.removeLast(".quern".count) }
        return "\(name.isEmpty ? "model" : name)-report.html"
    }

    package func write(_ page: [UInt8]) throws(FileError) {
        try AtomicFileWriter.write(page, to: path)
    }

    private static func isSame(_ one: String, _ other: String) -> Bool {
        guard let one = try? ReadableFile(path: one), let other = try? ReadableFile(path: other) else { return false }
        return one.device == other.device && one.inode == other.inode
    }
}
