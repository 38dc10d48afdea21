package import ByteStorage
import ModelFiles

/// Where the page goes. Checked before anything takes long.
package struct ReportOutput: Sendable {
    package let path: String

    /// `inputs` must not be overwritten.
    package init(path: String, inputs: [String]) throws(ReportError) {
        self.path = path
        if ModelFileReader.looksLikeModelFile(path) { throw ReportError("\(path): the output is a quern model file; choose another name with -o") }
        do { try OutputFile.check(path, inputs: inputs) } catch { throw ReportError("\(error)") }
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
}
