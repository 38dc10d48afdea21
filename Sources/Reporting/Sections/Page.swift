/// The whole document. Whatever it needs is in it: no script, no font, no picture from elsewhere.
struct Page {
    let report: QualityReport

    var document: HTML {
        """
        <!DOCTYPE html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta name="color-scheme" content="light dark">
        <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
        <title>Quantization report: \(report.name)</title>
        <style>\(Style.rules)</style>
        </head>
        <body>
        <main>
        \(SummarySection(report: report).markup)
        \(contents)
        \(LayersSection(report: report).markup)
        \(RateSection(report: report).markup)
        \(DivergenceSection(report: report).markup)
        \(WorstSection(report: report).markup)
        \(CodesSection(report: report).markup)
        \(ProvenanceSection(report: report).markup)
        \(DefinitionsSection().markup)
        \(TensorsSection(report: report).markup)
        </main>
        </body>
        </html>

        """
    }

    private var contents: HTML {
        let links: [(HTML, HTML)] = [
            ("layers", "By layer and kind"), ("rate", "Error against bits"), ("divergence", "Against the original’s answers"), ("worst", "Worst tensors and rows"),
            ("codes", "Codes"), ("provenance", "Provenance"), ("definitions", "What the figures mean"), ("tensors", "All tensors"),
        ]
        return "<nav aria-label=\"Contents\"><ul>\(links.map { "<li><a href=\"#\($0)\">\($1)</a></li>" as HTML })</ul></nav>"
    }

    static func section(_ id: HTML, _ heading: HTML, kind: HTML? = nil, _ content: HTML) -> HTML {
        "<section id=\"\(id)\"\(kind.map { " class=\"\($0)\"" as HTML }) aria-labelledby=\"\(id)-heading\">\n<h2 id=\"\(id)-heading\">\(heading)</h2>\n\(content)</section>\n"
    }

    /// A name from a file. Lines may break behind its points.
    static func name(_ text: String) -> HTML {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count > 1, parts.count < 40 else { return "<code>\(text)</code>" }
        return "<code>\(parts.map { "\(String($0))" as HTML }.joined(by: ".<wbr>"))</code>"
    }
}

/// A table whose columns but the first are numbers, unless said otherwise.
struct Table {
    var caption: HTML
    /// Text columns are flush left.
    var head: [(title: HTML, isText: Bool)]
    var rows: [[HTML]] = []
    var kind: HTML = ""

    init(_ caption: HTML, _ head: [(title: HTML, isText: Bool)], kind: HTML = "") {
        self.caption = caption
        self.head = head
        self.kind = kind
    }

    /// May be wider than the page: it scrolls by itself, on paper it wraps.
    var markup: HTML {
        let titles = head.map { "<th scope=\"col\"\($0.isText ? " class=\"t\"" : "" as HTML)>\($0.title)</th>" as HTML }
        let lines = rows.map { row -> HTML in
            let cells = row.enumerated().map { index, cell -> HTML in
                if index == 0 { return "<th scope=\"row\" class=\"t\">\(cell)</th>" }
                return head[index].isText ? "<td class=\"t\">\(cell)</td>" : "<td>\(cell)</td>"
            }
            return "<tr>\(cells)</tr>\n"
        }
        return """
            <div class="scroll" role="region" tabindex="0" aria-label="\(caption)"><table class="\(kind)"><caption>\(caption)</caption>
            <thead><tr>\(titles)</tr></thead>
            <tbody>
            \(lines)</tbody></table></div>

            """
    }
}
