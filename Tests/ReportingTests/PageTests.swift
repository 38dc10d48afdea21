import Foundation
import ModelFiles
import Reporting
import StrictJSON
import Tensors
import Testing

@Suite struct PageTests {
    /// Every tag is closed in order, every attribute quoted, every & begins a character reference.
    private func checkWellFormed(_ page: String) throws {
        var open: [String] = []
        let style = try #require(page.range(of: "<style>")), end = try #require(page.range(of: "</style>"))
        #expect(!page[style.upperBound..<end.lowerBound].contains("<"))
        let bytes = Array((page[..<style.lowerBound] + page[end.upperBound...]).utf8)
        var position = 0
        while position < bytes.count {
            let byte = bytes[position]
            position += 1
            if byte == UInt8(ascii: "&") {
                let reference = bytes[position...].prefix { $0 != UInt8(ascii: ";") }
                try #require(["amp", "lt", "gt", "quot", "#39"].contains(String(decoding: reference, as: UTF8.self)), "at \(position)")
            }
            guard byte == UInt8(ascii: "<") else { continue }
            var isQuoted = false
            let start = position
            while position < bytes.count, isQuoted || bytes[position] != UInt8(ascii: ">") {
                if bytes[position] == UInt8(ascii: "\"") { isQuoted.toggle() }
                position += 1
            }
            let tag = String(decoding: bytes[start..<position], as: UTF8.self)
            let name = String(tag.prefix { $0 != " " && $0 != "/" })
            if tag.hasPrefix("/") {
                try #require(open.popLast() == String(tag.dropFirst()), "</\(tag)> at \(start)")
            } else if !tag.hasSuffix("/") && !["!DOCTYPE", "meta", "wbr", "br"].contains(name) {
                open.append(name)
            }
        }
        #expect(open.isEmpty, "\(open)")
    }

    private func evaluated(_ file: ReportedFile) throws -> QualityReport {
        try MadeReport.report(file, evaluations: [try MadeReport.evaluation(MadeReport.evaluation)])
    }

    @Test func sameInputGivesSameBytes() throws {
        let file = try MadeReport.file(config: MadeReport.config(layers: 3), types: [.q4, .q4s])
        #expect(try evaluated(file).page == (try evaluated(file).page))
    }

    @Test func pageIsWellFormedAndNeedsNothingElse() throws {
        let page = MadeReport.page(try evaluated(try MadeReport.file(config: MadeReport.config(layers: 3), types: [.q4, .q4s, .f16])))
        try checkWellFormed(page)
        for word in ["<script", "http:", "https:", "url(", "src=", "@import"] { #expect(!page.contains(word), "\(word)") }
        for id in ["layers", "rate", "divergence", "worst", "codes", "provenance", "definitions", "tensors"] { #expect(page.contains("<section id=\"\(id)\"")) }
        for key in ["<i class=\"h0\"></i>q4s,", "<i class=\"h6\"></i>q4,", "<i class=\"h11\"></i>f16,"] { #expect(page.contains(key), "\(key)") }
        #expect(page.contains("<th scope=\"row\" class=\"t\"><code>model.<wbr>layers.<wbr>2.<wbr>mlp.<wbr>down_proj.<wbr>weight</code></th>"))
    }

    @Test func hostileNamesStayText() throws {
        let attack = "\"><script>alert(1)</script>&amp;'<!--\u{202E}\u{0}\n]]>"
        var file = try MadeReport.file(config: MadeReport.config(layers: 1))
        for index in file.tensors.indices { file.tensors[index].name = "\(attack)\(index)" }
        file.metadata.generator = .init(name: attack, version: attack)
        file.metadata.options = ["\(attack)": "\(attack)", "long": "\(String(repeating: "<", count: 100_000))"]
        file.metadata.sources[0].name = attack
        file.metadata.calibration = attack
        file.tokenizerFiles = [attack]
        let report = try MadeReport.report(file, title: attack, comparison: .recomputed(differences: [attack]))
        let page = MadeReport.page(report)
        try checkWellFormed(page)
        #expect(!page.contains("<script") && !page.contains("<!--"))
        #expect(!page.unicodeScalars.contains("\u{202E}") && !page.unicodeScalars.contains("\u{0}"))
        #expect(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;&amp;amp;&#39;&lt;!--\\u{202e}\\u{0}\\u{a}"))
        #expect(page.utf8.count < 200_000)
    }

    /// A forged record may hold any finite sums that are not negative.
    @Test func hostileFiguresGiveAPage() throws {
        var file = try MadeReport.file(config: MadeReport.config(layers: 2))
        let values = [0, Double.leastNonzeroMagnitude, 1, 1.797e308]
        for index in file.tensors.indices {
            file.tensors[index].errors.signal = values[index % 4]
            file.tensors[index].errors.noise = values[index / 4 % 4]
            file.tensors[index].errors.stored = values[(index + 1) % 4]
            file.tensors[index].errors.product = -1.797e308
            file.tensors[index].errors.worstRowRatio = values[(index + 2) % 4]
            file.tensors[index].errors.largest = 1.797e308
        }
        file.metadata.sources = [.init(name: "s", bytes: .max, sha256: Digest32.of([1])), .init(name: "t", bytes: .max, sha256: Digest32.of([1]))]
        let page = MadeReport.page(try MadeReport.report(file))
        try checkWellFormed(page)
        #expect(!page.contains(/\b(nan|inf)\b/) && !page.contains("e+308"))
    }

    @Test func sizeOf70B() throws {
        let config = MadeReport.config(layers: 80, hidden: 8192, intermediate: 28672, heads: 64, keyValueHeads: 8, vocabulary: 32000)
        let file = try MadeReport.file(config: config, types: [.q4, .q4s, .q8], shards: 15)
        #expect(file.tensors.count == 723)
        let report = try evaluated(file)
        try checkWellFormed(MadeReport.page(report))
        #expect(report.page.count < 1_000_000, "\(report.page.count)")
    }

    @Test func missingPartsAreNamed() throws {
        let file = try MadeReport.file(config: MadeReport.config(layers: 1))
        let bare = MadeReport.page(try MadeReport.report(file, digestsVerified: false))
        for text in ["No gates were stated", "not measured", "quern eval FILE --text TEXT --against FOLDER --json", "not verified", "as the conversion recorded them"] {
            #expect(bare.contains(text), "\(text)")
        }
        let partial = MadeReport.page(try MadeReport.report(file, evaluations: [try MadeReport.evaluation("{\"perplexity\": 5.5}")]))
        #expect(partial.contains("Not in this evaluation: KL divergence, perplexity ratio, same top token, some percentiles of the divergence, distribution of the divergence, which part of the error is which"))
        #expect(partial.contains("that it belongs to this one was not checked"))
        let whole = MadeReport.page(try evaluated(file))
        #expect(!whole.contains("Not in this evaluation"))
        for text in ["0.001890 ± 0.000050", "95.05 ± 0.48\u{202F}%", "quantized weights", "−1.0\u{202F}×\u{202F}10⁻⁶", "Histogram of the KL divergence"] { #expect(whole.contains(text), "\(text)") }
    }

    @Test func tensorsThatTheConfigurationDoesNotNameHaveNoPlace() throws {
        var file = try MadeReport.file(config: MadeReport.config(layers: 1))
        file.tensors = [file.tensors[0]]
        file.tensors[0].name = "elsewhere"
        let page = MadeReport.page(try MadeReport.report(file))
        #expect(page.contains("The file holds no tensor that the layers of its configuration name."))
        try checkWellFormed(page)
    }

    @Test func losslessFileHasNoErrorToShow() throws {
        var file = try MadeReport.file(config: MadeReport.config(layers: 1), types: [.f16])
        for index in file.tensors.indices { (file.tensors[index].errors.noise, file.tensors[index].errors.worstRowRatio) = (0, 0) }
        let page = MadeReport.page(try MadeReport.report(file))
        for text in ["every weight is stored exactly", "The matrices of the layers lost nothing.", "No tensor lost anything"] { #expect(page.contains(text), "\(text)") }
        try checkWellFormed(page)
    }
}
