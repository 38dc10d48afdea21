package import ByteStorage

/// A calibration file could not be read or written.
package struct CalibrationFileError: Error, Equatable, Sendable, CustomStringConvertible {
    package enum Code: Sendable {
        case system, notACalibrationFile, newerVersion, unknownFeature
        /// Shorter or longer than the header says.
        case wrongSize
        /// Bytes differ from what was written.
        case damaged
        /// The digests are right, but the content breaks a rule of the format.
        case invalid
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
    static let copyAgain = "the file is damaged: copy it again, or run 'quern calibrate' again"
    static let calibrateAgain = "the program that wrote the file broke its format: run 'quern calibrate' again"
}
