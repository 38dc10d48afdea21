import Architectures
import CalibrationFiles
import ModelFiles
import StrictJSON

/// Whether a calibration file was made from the checkpoint that is to be converted.
struct CalibrationCheck {
    let path: String

    /// Nil when something is wrong, which is added. Without a model only the file itself is looked at.
    func open(for model: CheckpointModel?, _ faults: inout [String]) -> CalibrationFile? {
        let file: CalibrationFile
        do throws(CalibrationFileError) { file = try CalibrationFile.open(path) } catch {
            faults.append("\(error)")
            return nil
        }
        guard let model else { return file }
        let cure = "calibrate this checkpoint, or give the calibration that was made from it"
        let config = Array(model.configText.utf8).withUnsafeBytes { Digest32.of($0).hex }
        if let recorded = file.metadata["config_sha256"]?.string, recorded != config {
            faults.append("\(path): it was made from a checkpoint whose config.json has SHA-256 \(recorded), this one's has \(config); \(cure)")
            return nil
        }
        for tensor in model.tensors {
            guard let input = model.input(of: tensor) else { continue }
            let entries = file.entries.filter { $0.input == input && $0.layer == tensor.expected.layer }
            if entries.isEmpty {
                faults.append("\(path): \(input)\(tensor.expected.layer.map { " of layer \($0)" } ?? "") is missing, which \(tensor.expected.name) reads; \(cure)")
                return nil
            }
            if let wrong = entries.first(where: { $0.columns != tensor.columns }) {
                faults.append("\(path): \(wrong.description) has \(wrong.columns) columns, but \(tensor.expected.name) has \(tensor.columns); \(cure)")
                return nil
            }
        }
        return file
    }
}
