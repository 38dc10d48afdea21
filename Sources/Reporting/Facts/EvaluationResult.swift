package import ModelFiles
import StrictJSON

/// What one run of `quern eval --json` measured. Its text may come from anywhere: every number is checked before it is believed.
package struct EvaluationResult: Sendable, Equatable {
    package struct Estimate: Sendable, Equatable {
        package var value: Double
        /// Standard error, when it was given.
        package var uncertainty: Double?

        package init(value: Double, uncertainty: Double?) { (self.value, self.uncertainty) = (value, uncertainty) }
    }

    /// A figure that the document may hold, in the order in which a page shows them.
    package enum Quantile: String, CaseIterable, Sendable {
        case median = "median_kld"
        case p90 = "kld_90"
        case p99 = "kld_99"
        case p999 = "kld_999"
        case largest = "max_kld"
    }

    package enum Part: String, CaseIterable, Sendable {
        case weights
        case activations
        case cache = "kv_q8"
    }

    package var tokens: Int?
    package var windows: Int?
    package var scored: Int?
    package var perplexity: Estimate?
    package var perplexityRatio: Estimate?
    package var meanDivergence: Estimate?
    package var quantiles: [Quantile: Double] = [:]
    /// 0 to 1.
    package var sameTop: Estimate?
    /// Root of the mean square of the change of the true token's probability.
    package var rmsChange: Estimate?
    package var histogram: DivergenceHistogram?
    /// What each part adds to the mean divergence; rounding of one part can undo some of another's, so it can be below 0.
    package var split: [Part: Estimate] = [:]
    /// Digest of the model file's header that was evaluated, when the document names it.
    package var fingerprint: Digest32?

    package init() {}

    /// Keys of the digest by which the document says to which file it belongs.
    static let fingerprintKey = "file_sha256"

    package static let largestFile: UInt64 = 16 << 20

    /// - Parameter name: what messages call the document.
    package init(json bytes: [UInt8], name: String) throws(ReportError) {
        let document: JSONValue
        do throws(JSONError) {
            document = try JSONReader.read(bytes, limits: JSONReader.Limits(depth: 16, values: 100_000))
        } catch { throw ReportError("\(name): not the JSON of one evaluation: \(error); \(Self.cure)") }
        let fields = EvaluationFields(name: name, value: document)
        try fields.checkIsObject()
        tokens = try fields.count("tokens")
        windows = try fields.count("windows")
        scored = try fields.count("scored")
        perplexity = try fields.estimate("perplexity", 0..<Double.infinity)
        perplexityRatio = try fields.estimate("perplexity_ratio", 0..<Double.infinity)
        meanDivergence = try fields.estimate("mean_kld", EvaluationFields.divergences)
        for quantile in Quantile.allCases { quantiles[quantile] = try fields.number(quantile.rawValue, EvaluationFields.divergences) }
        sameTop = try fields.estimate("same_top", 0..<1.0.nextUp)
        rmsChange = try fields.estimate("rms_change", 0..<1.0.nextUp)
        histogram = try fields.member("kld_histogram").map { histogram throws(ReportError) in try DivergenceHistogram(histogram) }
        if let parts = try fields.member("split") {
            for part in Part.allCases {
                guard let value = try parts.divergence(part.rawValue) else { continue }
                split[part] = Estimate(value: value, uncertainty: try fields.member("split_uncertainty")?.number(part.rawValue, 0..<Double.infinity))
            }
        }
        fingerprint = try fields.digest(Self.fingerprintKey)
        guard perplexity != nil || meanDivergence != nil else {
            throw ReportError("\(name): has neither 'perplexity' nor 'mean_kld'; \(Self.cure)")
        }
    }

    /// Throws when the document names another file. One that names none may be of any file: the page says so.
    package func check(belongsTo file: ReportedFile, name: String) throws(ReportError) {
        guard let fingerprint, fingerprint != file.fingerprint else { return }
        throw ReportError("\(name): is of the file with the fingerprint \(fingerprint.hex), but this file has \(file.fingerprint.hex); evaluate this file")
    }

    static let cure = "give what 'quern eval FILE --text TEXT --against FOLDER --json' writes"
}

/// How many tokens have which divergence.
package struct DivergenceHistogram: Sendable, Equatable {
    /// Logarithms to base 10, in nats, ascending; one more than counts.
    package var edges: [Double]
    package var counts: [Int]
    package var total: Int { counts.reduce(0, +) }

    package init(edges: [Double], counts: [Int]) {
        precondition(edges.count == counts.count + 1 && !counts.isEmpty, "\(edges.count) edges for \(counts.count) bins")
        self.edges = edges
        self.counts = counts
    }

    static let mostBins = 1000

    init(_ fields: EvaluationFields) throws(ReportError) {
        let edges = try fields.numbers("log10_edges", mostBins: Self.mostBins + 1)
        let counts = try fields.numbers("counts", mostBins: Self.mostBins)
        guard !counts.isEmpty, edges.count == counts.count + 1 else {
            throw fields.wrong("has \(edges.count) edges and \(counts.count) counts, expected one edge more than counts")
        }
        for (left, right) in zip(edges, edges.dropFirst()) where left >= right { throw fields.wrong("log10_edges do not ascend: \(right) follows \(left)") }
        guard edges.allSatisfy({ abs($0) <= 300 }) else { throw fields.wrong("log10_edges must lie within -300 ... 300") }
        var whole: [Int] = []
        for count in counts {
            // A sum of a thousand of these is exact in Int and in Double.
            guard count >= 0, count <= 0x1p42, let exact = Int(exactly: count) else { throw fields.wrong("counts must be whole numbers from 0 to 2^42, not \(count)") }
            whole.append(exact)
        }
        self.init(edges: edges, counts: whole)
    }
}
