package import ByteStorage

/// A session file could not be read, written or continued.
package struct SessionFileError: Error, Equatable, Sendable, CustomStringConvertible {
    package enum Code: Sendable {
        case system, notASessionFile, newerVersion, unknownFeature
        /// Shorter or longer than the header says.
        case wrongSize
        /// Bytes differ from what was written.
        case damaged
        /// The digests are right, but the content breaks a rule of the format.
        case invalid
        /// A whole file, but of another model or for another cache.
        case mismatch
    }

    package var code: Code
    package var path: String
    /// Everything but the path.
    package var message: String

    package init(_ code: Code, path: String, _ message: String) { (self.code, self.path, self.message) = (code, path, message) }

    package init(_ error: FileError) { self.init(.system, path: error.path, error.message) }

    package var description: String { "\(path): \(message)" }
}

/// What to do about it.
enum Cure {
    static let startAgain = "the file is damaged: remove it or give another name, to start a new session"
    static let brokenWriter = "the program that wrote the file broke its format: remove it or give another name, to start a new session"
    static let otherName = "give another --session file"
}
