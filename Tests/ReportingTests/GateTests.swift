import ModelFiles
import Reporting
import Tensors
import Testing

@Suite struct GateTests {
    private func gates(_ change: (inout Gates) -> Void) -> Gates {
        var gates = Gates()
        change(&gates)
        return gates
    }

    private func report(_ gates: Gates, _ evaluations: [String] = [MadeReport.evaluation]) throws -> QualityReport {
        try MadeReport.report(
            try MadeReport.file(config: MadeReport.config(layers: 1)), evaluations: try evaluations.map { try MadeReport.evaluation($0) }, gates: gates)
    }

    @Test func eachGateCanPassAndFail() throws {
        #expect(try report(Gates()).verdict == .noGates)
        let passing = gates { ($0.minimumDecibels, $0.largestDivergence, $0.smallestSameTop, $0.largestPerplexityRatio) = (24, 0.00189, 0.9505, 1.002) }
        let passed = try report(passing)
        #expect(passed.verdict == .pass)
        #expect(MadeReport.page(passed).contains("All 4 gates that were stated are met."))
        let failing = [
            gates { $0.minimumDecibels = 25 }, gates { $0.largestDivergence = 0.001 }, gates { $0.smallestSameTop = 0.96 },
            gates { $0.largestPerplexityRatio = 1.001 },
        ]
        for gates in failing {
            let report = try report(gates)
            #expect(report.verdict == .fail)
            #expect(MadeReport.page(report).contains("<strong>Fail</strong> 1 of 1\u{A0}gate not met."))
        }
    }

    @Test func limitWithinTheUncertaintyIsSaid() throws {
        #expect(try report(gates { $0.largestDivergence = 0.00195 }).outcomes.map(\.isClose) == [true])
        #expect(try report(gates { $0.largestDivergence = 0.003 }).outcomes.map(\.isClose) == [false])
    }

    @Test func everyEvaluationMustKeepTheLimit() throws {
        let worse = "{\"mean_kld\": 0.01}"
        let report = try report(gates { $0.largestDivergence = 0.002 }, [MadeReport.evaluation, worse, "{\"perplexity\": 5}"])
        #expect(report.outcomes.map(\.isMet) == [true, false])
        #expect(report.outcomes[1].subject == "mean KL divergence, evaluation 2")
        #expect(report.verdict == .fail)
    }

    /// A limit that nothing was compared with must not look as if it were kept.
    @Test func gateWithoutItsFigureIsAnError() throws {
        #expect(throws: ReportError("--max-kld: no evaluation holds 'mean_kld'; give with --eval what 'quern eval FILE --text TEXT --against FOLDER --json' writes")) {
            try report(gates { $0.largestDivergence = 1 }, ["{\"perplexity\": 5}"])
        }
        #expect(throws: ReportError("--min-same-top: no evaluation was given; give with --eval what 'quern eval FILE --text TEXT --against FOLDER --json' writes")) {
            try report(gates { $0.smallestSameTop = 0.5 }, [])
        }
    }

    @Test func differencesFromTheSourceFail() throws {
        let file = try MadeReport.file(config: MadeReport.config(layers: 1))
        #expect(try MadeReport.report(file, comparison: .recomputed(differences: ["x"]), gates: gates { $0.minimumDecibels = 1 }).verdict == .fail)
        #expect(try MadeReport.report(file, comparison: .recomputed(differences: [])).verdict == .noGates)
    }

    /// Noise without signal is the worst there is, not lossless.
    @Test func noiseWithoutSignalIsNotLossless() throws {
        var file = try MadeReport.file(config: MadeReport.config(layers: 1))
        file.tensors[3].errors.signal = 0
        let report = try MadeReport.report(file, gates: gates { $0.minimumDecibels = 1 })
        #expect(report.verdict == .fail)
        #expect(report.outcomes[0].measured.hasPrefix("−∞"))
    }
}
