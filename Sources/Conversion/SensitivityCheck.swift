import Architectures
import CalibrationFiles
import ModelFiles

/// Whether a sensitivity file was made from the checkpoint that is to be converted.
struct SensitivityCheck {
    let path: String

    /// Nil when something is wrong, which is added. Without a model only the file itself is looked at.
    func open(for model: CheckpointModel?, _ faults: inout [String]) -> TensorSensitivities? {
        let file: SensitivityFile
        do throws(CalibrationFileError) { file = try SensitivityFile.open(path) } catch {
            faults.append("\(error)")
            return nil
        }
        guard let model else { return nil }
        let cure = "measure this checkpoint, or give the file that was made from it"
        let config = Digest32.of(Array(model.configText.utf8))
        guard file.configDigest == config else {
            faults.append("\(path): it was made from a checkpoint whose config.json has SHA-256 \(file.configDigest.hex), this one's has \(config.hex); \(cure)")
            return nil
        }
        var values: [Double] = []
        for tensor in model.tensors {
            guard let value = tensor.expected.role.isNorm ? 0 : file.values[tensor.expected.name] else {
                faults.append("\(path): \(tensor.expected.name) is missing; \(cure)")
                return nil
            }
            values.append(value)
        }
        return TensorSensitivities(basis: "measured, file \(file.digest.hex.prefix(16))", values: values)
    }
}
