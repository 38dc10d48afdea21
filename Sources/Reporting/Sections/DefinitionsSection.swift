/// What the figures mean.
struct DefinitionsSection {
    private static let terms: [(HTML, HTML)] = [
        ("SQNR", "10 log₁₀(Σw² / Σ(w − v)²) in dB, w being a weight of the checkpoint and v the value that the file stores for it. Higher is better; 6 dB more is half the error. The mean counts each tensor that lost something once."),
        ("relative RMSE", "√(Σ(w − v)² / Σw²): 0.06 means that the error is 6 % of the weights’ size."),
        ("largest error", "the largest |w − v|."),
        ("cosine", "Σwv / √(Σw² Σv²): 1 when the direction is kept."),
        ("bits per weight", "every byte of a tensor, headers and padding included, over its weights."),
        ("from the bound", "6.02 dB × bits per weight − SQNR: how far the code is from the best possible one of its size for a Gaussian source."),
        ("perplexity", "exp(mean of −ln q(true token)), q being the file’s probability of the next token. The uncertainty is one standard error."),
        ("KL divergence", "Σp ln(p / q) of a token in nats, p being the original’s probabilities and q those of the file; 0 when both agree."),
        ("same top token", "share of tokens for which both find the same next token likeliest."),
    ]

    var markup: HTML {
        let list = Self.terms.map { "<div><dt>\($0)</dt><dd>\($1)</dd></div>\n" as HTML }
        return Page.section(
            "definitions", "What the figures mean",
            "<p>None of these figures says whether an answer is medically or otherwise right. They say how close the file is to the original model.</p>\n<dl class=\"facts\">\n\(list)</dl>\n")
    }
}
