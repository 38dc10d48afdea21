package import Architectures
package import Conversion
import ModelFiles
import Tensors

/// Everything that a report shows. The same values give the same page.
package struct QualityReport: Sendable {
    package enum Comparison: Sendable, Equatable {
        /// The figures are those that the conversion recorded.
        case recorded
        /// They were computed again from the checkpoint; one line for each difference.
        case recomputed(differences: [String])
    }

    /// What the reader calls the model.
    package let title: String?
    package let file: ReportedFile
    package let configuration: LlamaConfiguration
    package let figures: ModelFigures
    package let comparison: Comparison
    /// Whether every tensor's bytes were compared with their digest.
    package let digestsVerified: Bool
    package let codes: [CodeCounts]
    package let evaluations: [EvaluationResult]
    package let outcomes: [Gates.Outcome]
    let places: [TensorPlace?]

    /// `figures` hold one entry for each tensor of the file, in its order. Throws when a gate needs an evaluation that is not there,
    /// or when an evaluation is of another file.
    package init(
        title: String? = nil, file: ReportedFile, configuration: LlamaConfiguration, figures: ModelFigures, comparison: Comparison, digestsVerified: Bool,
        codes: [CodeCounts], evaluations: [EvaluationResult], gates: Gates
    ) throws(ReportError) {
        precondition(figures.tensors.count == file.tensors.count, "\(figures.tensors.count) figures for \(file.tensors.count) tensors")
        self.title = title
        self.file = file
        self.configuration = configuration
        self.figures = figures
        self.comparison = comparison
        self.digestsVerified = digestsVerified
        self.codes = codes
        self.evaluations = evaluations
        outcomes = try gates.outcomes(figures, evaluations)
        places = TensorPlace.places(of: file.tensors, configuration)
    }

    package enum Verdict: Sendable, Equatable { case noGates, pass, fail }

    package var verdict: Verdict {
        if !differences.isEmpty || outcomes.contains(where: { !$0.isMet }) { return .fail }
        return outcomes.isEmpty ? .noGates : .pass
    }

    package var differences: [String] {
        if case .recomputed(let differences) = comparison { return differences }
        return []
    }

    package var page: [UInt8] { Array(Page(report: self).document.text.utf8) }

    /// Each tensor with its place, in file order.
    var entries: [(figures: TensorFigures, place: TensorPlace?)] { Array(zip(figures.tensors, places)) }

    /// What the model is called where no title was given.
    var name: String {
        if let title { return title }
        let main = Dictionary(grouping: figures.tensors, by: \.type).mapValues { $0.reduce(0) { $0 + $1.weights } }
            .max { ($0.value, $1.key.rawValue) < ($1.value, $0.key.rawValue) }?.key
        return "LLaMA, \(Numbers.large(figures.weights)) weights\(main.map { ", \($0.name)" } ?? "")"
    }
}
