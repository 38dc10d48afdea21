import ByteStorage
import Glibc

/// A safetensors file made of any header text and any number of data bytes.
func file(_ header: String, data: Int) -> [UInt8] { file(Array(header.utf8), data: data) }

func file(_ header: [UInt8], data: Int) -> [UInt8] {
    withUnsafeBytes(of: UInt64(header.count).littleEndian) { Array($0) } + header + (0..<data).map { UInt8(truncatingIfNeeded: $0) }
}

/// The text of one tensor's entry.
func record(_ name: String, _ type: String, _ shape: String, _ begin: Int, _ end: Int) -> String {
    "\"\(name)\":{\"dtype\":\"\(type)\",\"shape\":\(shape),\"data_offsets\":[\(begin),\(end)]}"
}

func record(_ name: String, _ shape: String, _ begin: Int, _ end: Int) -> String { record(name, "F16", shape, begin, end) }

func header(_ records: String...) -> String { "{" + records.joined(separator: ",") + "}" }

/// A folder that is removed with the object.
final class TemporaryFolder {
    let path: String

    init() {
        var template = Array("/tmp/quern-tests-XXXXXX".utf8CString)
        path = template.withUnsafeMutableBufferPointer { String(cString: mkdtemp($0.baseAddress!)) }
    }

    deinit {
        Self.remove(path)
    }

    private static func remove(_ path: String) {
        // A link is removed as a link; only folders refuse to be unlinked.
        if unlink(path) == 0 { return }
        for name in (try? Folders.names(in: path)) ?? [] { remove("\(path)/\(name)") }
        rmdir(path)
    }

    func write(_ name: String, _ bytes: [UInt8]) {
        let stream = fopen("\(path)/\(name)", "wb")!
        fwrite(bytes, 1, bytes.count, stream)
        fclose(stream)
    }

    func write(_ name: String, _ text: String) { write(name, Array(text.utf8)) }

    func makeFolders(_ names: String) {
        var current = path
        for name in names.split(separator: "/") {
            current += "/\(name)"
            mkdir(current, 0o755)
        }
    }
}
