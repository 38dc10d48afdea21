import Conversion
import ModelFiles
import StrictJSON

/// Where every byte came from, and what was checked.
struct ProvenanceSection {
    let report: QualityReport

    private static let mostRows = 1000

    var markup: HTML { Page.section("provenance", "Provenance", "\(checks)\(facts)\(shards)") }

    private var metadata: ModelMetadata { report.file.metadata }

    static func options(_ metadata: ModelMetadata) -> HTML {
        let options = metadata.options.members.prefix(100).map { "\($0.key.string) \($0.value.string ?? $0.value.text())" as HTML }
        return options.isEmpty ? "" : ": \(options.joined(by: ", "))"
    }

    private var checks: HTML {
        var lines: [HTML] = [
            "Header, directory, metadata and tokenizer: their SHA-256 is right.",
            report.digestsVerified
                ? "Tensors: the SHA-256 of each of \(counted(report.file.tensors.count, "tensor")) is right."
                : "Tensors: their SHA-256 was <strong>not</strong> computed for this report; <code>quern verify FILE</code> does it.",
        ]
        switch report.comparison {
        case .recorded:
            lines.append("Error figures: as the conversion recorded them. With <code>--against FOLDER</code> they are computed anew from the checkpoint.")
        case .recomputed(let differences) where differences.isEmpty:
            lines.append("Error figures and shards: computed anew from the checkpoint, identical to the last bit to what the file records.")
        case .recomputed(let differences):
            let listed = differences.prefix(Self.mostRows).map { "<li>\($0)</li>" as HTML }
            lines.append("<strong>Not what the checkpoint gives</strong> (\(counted(differences.count, "difference"))):<ul class=\"differences\">\(listed)</ul>")
        }
        return "<ul>\(lines.map { "<li>\($0)</li>\n" as HTML })</ul>\n"
    }

    private var facts: HTML {
        """
        <dl class="facts">
        <div><dt>Written by</dt><dd>\(metadata.generator.name) \(metadata.generator.version)\(Self.options(metadata))</dd></div>
        <div><dt>Calibration</dt><dd>\(metadata.calibration.map { "<code>\($0)</code>" as HTML } ?? "none: weights were quantized by their own values alone")</dd></div>
        <div><dt>Tokenizer</dt><dd>\(report.file.tokenizerFiles.map { Page.name($0) }.joined(by: ", ")), verbatim</dd></div>
        <div><dt>File</dt><dd>\(Numbers.count(report.file.fileBytes)) bytes, format version \(Int(ModelFileHeader.version))</dd></div>
        <div><dt>Fingerprint</dt><dd><code>\(report.file.fingerprint.hex)</code><br><span class="note">SHA-256 of the file’s first \(ModelFileHeader.byteCount) bytes, which hold the digests of \
        everything else: <code>head -c \(ModelFileHeader.byteCount) FILE | sha256sum</code></span></dd></div>
        <div><dt>This page</dt><dd>made by \(ToolVersion.name) \(ToolVersion.text)</dd></div>
        </dl>

        """
    }

    private var shards: HTML {
        var table = Table("Source shards", [("file", true), ("bytes", false), ("SHA-256", true)], kind: "hashes")
        for source in metadata.sources.prefix(Self.mostRows) {
            table.rows.append([Page.name(source.name), "\(Numbers.count(source.bytes))", "<code>\(source.sha256.hex)</code>"])
        }
        let more = metadata.sources.count - Self.mostRows
        return more > 0 ? "\(table.markup)<p class=\"note\">and \(more) more</p>\n" : table.markup
    }
}
