import Architectures
import CalibrationFiles

/// How much of the loss of plain rounding is left when errors are fed back. A mixture is chosen by the errors of plain rounding, and without this the
/// layers, of whose loss feedback takes most, would get bits that a head or a shared embedding, of whose loss it takes less, needs more.
///
/// Measured as divergences with one kind of matrix alone in q4, on a trained model of 6 layers with shared embedding and an untied copy of it: layers
/// 0.1 to 0.26 with calibration (0.17 of their sum), 0.29 to 0.8 without (0.4); a head of its own 0.16 with, and without it feedback does
/// harm, so there is none (see `FeedbackStore`); an embedding of its own 0.45; a shared one 0.43 with the head's Hessian.
enum FeedbackGain {
    case none, estimated, calibrated

    init(_ weighting: ErrorWeighting) {
        guard weighting.feedsBack else { self = .none; return }
        guard let calibration = weighting.calibration else { self = .estimated; return }
        // Without Hessians, errors are weighted only.
        self = calibration.entries.contains { $0.form == .hessian } ? .calibrated : .none
    }

    func remaining(_ role: TensorRole, tied: Bool) -> Double {
        switch (self, role) {
        case (.none, _): 1
        case (_, .tokenEmbedding) where !tied: 0.45
        case (.estimated, .outputHead), (.estimated, .tokenEmbedding): 1
        case (.calibrated, .tokenEmbedding): 0.43
        case (.estimated, _): 0.4
        case (.calibrated, _): 0.17
        }
    }
}
