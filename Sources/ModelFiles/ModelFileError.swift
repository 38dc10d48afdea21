package import ByteStorage

/// A `.quern` file could not be read, verified or written. Every text names the place, what was expected, what was
/// found, and what the user can do.
package struct ModelFileError: Error, Equatable, Sendable, CustomStringConvertible {
    package enum Code: Sendable {
        /// The operating system refused; see the message.
        case system
        case notAModelFile
        case newerVersion
        case unknownFeature
        /// Shorter or longer than the header says.
        case wrongSize
        /// Bytes differ from what was written.
        case damaged
        /// The digests are right, but the content breaks a rule of the format.
        case invalid
        /// More than the format can hold.
        case tooLarge
    }

    package var code: Code
    package var path: String
    /// The tensor concerned, or the first of them.
    package var tensor: String?
    /// Where in the file, when one place is known.
    package var byteOffset: UInt64?
    /// Everything but the path.
    package var message: String
    /// After verifying: every tensor whose bytes are not as written, in file order.
    package var damagedTensors: [String] = []

    package init(_ code: Code, path: String, tensor: String? = nil, byteOffset: UInt64? = nil, _ message: String) {
        self.code = code
        self.path = path
        self.tensor = tensor
        self.byteOffset = byteOffset
        self.message = message
    }

    package init(_ error: FileError) { self.init(.system, path: error.path, error.message) }

    package var description: String { "\(path): \(message)" }
}

/// What to do about it: two cures shared by many messages.
enum Cure {
    static let copyAgain = "the file is damaged: copy it again, or convert the model again"
    static let convertAgain = "the program that wrote the file broke its format: convert the model again"
}
