import ByteStorage
package import ModelFiles
package import StrictJSON

/// A file that says how much an error of each matrix costs. Authority: Formats/SensitivityFile.md.
package struct SensitivityFile: Sendable {
    package let path: String
    package let configDigest: Digest32
    /// KL divergence over relative squared error, by the tensor's name in the checkpoint.
    package let values: [String: Double]
    /// SHA-256 of the file's bytes.
    package let digest: Digest32

    private static let format = "quern-sensitivities", version = 1
    /// With which every such file that this program wrote begins.
    package static let start = Array("{\n  \"format\": \"\(format)\"".utf8)
    private static let mostBytes: UInt64 = 16 << 20

    /// The bytes of a file.
    ///
    /// - Parameters:
    ///   - values: in the order in which they shall stand.
    ///   - provenance: members `generator`, `text`, `windows`, `window_size`, `relative_error`, `measured_layers`.
    package static func encoded(configDigest: Digest32, values: [(name: String, value: Double)], provenance: JSONObject) -> [UInt8] {
        precondition(values.allSatisfy { $0.value.isFinite && $0.value >= 0 }, "sensitivities are finite and not negative")
        var object: JSONObject = ["format": JSONValue(format), "version": JSONValue(version), "config_sha256": JSONValue(configDigest.hex)]
        for member in provenance.members { object.set(member.key.string, member.value) }
        var tensors = JSONObject()
        for (name, value) in values { tensors.set(name, JSONValue(value)) }
        object.set("tensors", JSONValue(tensors))
        return JSONValue(object).serialized(pretty: true) + [0x0A]
    }

    package static func open(_ path: String) throws(CalibrationFileError) -> SensitivityFile {
        let bytes: [UInt8]
        do throws(FileError) { bytes = try ReadableFile(path: path).readAll(limit: mostBytes) } catch { throw CalibrationFileError(error) }
        return try SensitivityFile(bytes, path: path)
    }

    private init(_ bytes: [UInt8], path: String) throws(CalibrationFileError) {
        func fail(_ code: CalibrationFileError.Code, _ text: String) -> CalibrationFileError { CalibrationFileError(code, path: path, text) }
        let root: JSONValue
        do throws(JSONError) { root = try JSONReader.read(bytes, limits: JSONReader.Limits(depth: 16)) } catch {
            throw fail(.notACalibrationFile, "\(error); give a file made with 'quern sensitivity'")
        }
        guard root["format"]?.string == Self.format else {
            throw fail(.notACalibrationFile, "format is \(root["format"]?.summary ?? "missing"), expected '\(Self.format)'; give a file made with 'quern sensitivity'")
        }
        guard let version = root["version"]?.int, version == Self.version else {
            throw fail(.newerVersion, "version is \(root["version"]?.summary ?? "missing"), this program reads \(Self.version); use the program that wrote it")
        }
        guard let text = root["config_sha256"]?.string, let config = Digest32(hex: text) else {
            throw fail(.invalid, "config_sha256 is \(root["config_sha256"]?.summary ?? "missing"), expected 64 lower-case hexadecimal digits; measure again")
        }
        guard let tensors = root["tensors"]?.object else {
            throw fail(.invalid, "tensors is \(root["tensors"]?.summary ?? "missing"), expected an object of numbers; measure again")
        }
        var values: [String: Double] = [:]
        for member in tensors.members {
            guard let value = member.value.double, value.isFinite, value >= 0 else {
                throw fail(.invalid, "tensors.\(member.key.quoted) is \(member.value.summary), expected a number of at least 0; measure again")
            }
            values[member.key.string] = value
        }
        (self.path, configDigest, self.values, digest) = (path, config, values, Digest32.of(bytes))
    }
}
