import ModelFiles
import Reporting
import Testing

@Suite struct EvaluationTests {
    @Test func readsWhatEvalWrites() throws {
        let result = try MadeReport.evaluation(MadeReport.evaluation)
        #expect(result.perplexity == .init(value: 74.94, uncertainty: 4.4))
        #expect(result.meanDivergence == .init(value: 0.00189, uncertainty: 0.00005))
        #expect(result.quantiles[.p999] == 0.02)
        #expect(result.sameTop == .init(value: 0.9505, uncertainty: nil))
        #expect(result.split[.weights] == .init(value: 0.0017, uncertainty: 0.0001))
        #expect(result.split[.activations] == .init(value: 0.0002, uncertainty: nil))
        #expect(result.split[.cache]?.value == -1e-6)
        #expect(result.histogram == DivergenceHistogram(edges: [-4, -3, -2, -1], counts: [100, 1900, 40]))
    }

    private static let wrong: [(String, String)] = [
        ("", "not the JSON of one evaluation: byte 0"),
        ("[]", "e.json: is an array, expected an object"),
        ("{}", "has neither 'perplexity' nor 'mean_kld'"),
        ("{\"perplexity\": null}", "has neither 'perplexity' nor 'mean_kld'"),
        ("{\"perplexity\": \"<b>\"}", "perplexity is the string '<b>', expected a number"),
        ("{\"perplexity\": -1}", "perplexity is -1.0, expected 0 or more"),
        ("{\"perplexity\": 1e999}", "too large for a double"),
        ("{\"perplexity\": 1, \"perplexity\": 2}", "appears twice"),
        ("{\"perplexity\": 1, \"scored\": 1.5}", "scored is 1.5, expected a whole number"),
        ("{\"perplexity\": 1, \"same_top\": 1.5}", "same_top is 1.5, expected 0.0 ... 1.0"),
        ("{\"perplexity\": 1, \"mean_kld\": -5}", "mean_kld is -5.0, expected 0 or more"),
        ("{\"perplexity\": 1, \"split\": 3}", "e.json: split: is 3, expected an object"),
        ("{\"perplexity\": 1, \"kld_histogram\": {}}", "log10_edges is missing"),
        ("{\"perplexity\": 1, \"kld_histogram\": {\"log10_edges\": [1], \"counts\": []}}", "has 1 edges and 0 counts"),
        ("{\"perplexity\": 1, \"kld_histogram\": {\"log10_edges\": [1, 1], \"counts\": [5]}}", "do not ascend"),
        ("{\"perplexity\": 1, \"kld_histogram\": {\"log10_edges\": [-1e300, 1], \"counts\": [5]}}", "within -300 ... 300"),
        ("{\"perplexity\": 1, \"kld_histogram\": {\"log10_edges\": [1, 2], \"counts\": [-5]}}", "whole numbers from 0"),
        ("{\"perplexity\": 1, \"kld_histogram\": {\"log10_edges\": [1, 2], \"counts\": [9223372036854775807]}}", "whole numbers from 0"),
        ("{\"perplexity\": 1, \"kld_histogram\": {\"log10_edges\": [1, 2], \"counts\": [\"5\"]}}", "counts holds the string '5'"),
        ("{\"perplexity\": 1, \"file_sha256\": \"AB\"}", "expected 64 lower-case hexadecimal digits"),
    ]

    @Test func hostileDocumentsAreRefused() throws {
        for (text, message) in Self.wrong {
            let error = #expect(throws: ReportError.self) { try MadeReport.evaluation(text) }
            #expect(error?.description.hasPrefix("e.json: ") == true && error?.description.contains(message) == true, "\(text): \(error?.description ?? "")")
        }
        let deep = String(repeating: "[", count: 100_000)
        #expect(throws: ReportError.self) { try MadeReport.evaluation(deep) }
        let many = "{\"perplexity\": 1, \"x\": [" + String(repeating: "0,", count: 200_000) + "0]}"
        #expect(throws: ReportError.self) { try MadeReport.evaluation(many) }
    }

    @Test func everyTruncationIsRefused() {
        let bytes = Array(MadeReport.evaluation.utf8)
        for count in 0..<bytes.count {
            #expect(throws: ReportError.self) { try EvaluationResult(json: Array(bytes.prefix(count)), name: "e.json") }
        }
    }

    @Test func oddHistogramsGiveAPage() throws {
        let file = try MadeReport.file(config: MadeReport.config(layers: 1))
        for histogram in ["[-300, 300], \"counts\": [0]", "[-300, 300], \"counts\": [5]", "[0.5, 0.6], \"counts\": [1]", "[-1e-9, 0, 1e-9], \"counts\": [0, 7]"] {
            let result = try MadeReport.evaluation("{\"mean_kld\": 0, \"median_kld\": 1e300, \"kld_histogram\": {\"log10_edges\": \(histogram)}}")
            let page = MadeReport.page(try MadeReport.report(file, evaluations: [result]))
            #expect(page.hasSuffix("</html>\n"))
        }
    }

    @Test func anotherFilesEvaluationIsRefused() throws {
        let file = try MadeReport.file(config: MadeReport.config(layers: 1))
        let own = try MadeReport.evaluation("{\"perplexity\": 1, \"file_sha256\": \"\(file.fingerprint.hex)\"}")
        try own.check(belongsTo: file, name: "e.json")
        let other = try MadeReport.evaluation("{\"perplexity\": 1, \"file_sha256\": \"\(Digest32.of([8]).hex)\"}")
        #expect(throws: ReportError.self) { try other.check(belongsTo: file, name: "e.json") }
        #expect(!MadeReport.page(try MadeReport.report(file, evaluations: [own])).contains("was not checked"))
    }
}
