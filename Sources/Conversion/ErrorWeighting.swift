package import CalibrationFiles
import StrictJSON

/// What the quantizer knows of the errors' effect, beyond their size. Every part can be left out, so that its gain can be measured.
package struct ErrorWeighting: Sendable {
    /// Measured second moments of the inputs; nil: estimated from the weights where errors are fed back.
    package var calibration: CalibrationFile?
    /// Whether the error of a column is fed back to the columns after it.
    package var feedsBack: Bool
    /// Whether a column's errors count with the size of its input where nothing is fed back.
    package var weighsColumns: Bool
    /// Whether each tensor gets grids of its own.
    package var fitsGrids: Bool

    package init(calibration: CalibrationFile? = nil, feedsBack: Bool = false, weighsColumns: Bool = true, fitsGrids: Bool = false) {
        self.calibration = calibration
        self.feedsBack = feedsBack
        self.weighsColumns = weighsColumns
        self.fitsGrids = fitsGrids
    }

    /// As recorded in the file's options.
    var option: String {
        if feedsBack { return calibration == nil ? "feedback, estimated" : "feedback, calibrated" }
        return calibration != nil && weighsColumns ? "importance" : "none"
    }
}
