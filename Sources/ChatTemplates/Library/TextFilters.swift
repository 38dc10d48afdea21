/// Operations on strings that are both filters and methods.
enum TextFilters {
    static func upper(_ evaluator: TemplateEvaluator, _ text: MarkedText) throws(ChatTemplateError) -> TemplateValue {
        try evaluator.text(text.mapped { PythonText.changed($0, $0.properties.uppercaseMapping) })
    }

    static func lower(_ evaluator: TemplateEvaluator, _ text: MarkedText) throws(ChatTemplateError) -> TemplateValue {
        try evaluator.text(text.mapped { PythonText.changed($0, $0.properties.lowercaseMapping) })
    }

    static func replace(
        _ evaluator: TemplateEvaluator, _ text: MarkedText, old: TemplateValue, new: TemplateValue, limit: TemplateValue?
    ) throws(ChatTemplateError) -> TemplateValue {
        let (old, new) = (try evaluator.text(old, for: "replace"), try evaluator.text(new, for: "replace"))
        var count = -1
        if let limit, limit.integer != nil { count = try evaluator.integer(limit, for: "replace") }
        // Every replacement adds at most the new text; occurrences cannot overlap.
        let occurrences = old.isEmpty ? text.count + 1 : text.count / old.count
        let most = count < 0 ? occurrences : min(occurrences, count)
        let (added, overflows) = most.multipliedReportingOverflow(by: new.count)
        if overflows || added > 1 << 24 {
            // Too much to promise: count what is really there.
            let real = old.isEmpty ? most : min(most, ByteSearch.ranges(of: old.bytes, in: text.bytes, limit: count).count)
            try evaluator.charge(bytes: real.multipliedReportingOverflow(by: new.count).overflow ? Int.max / 2 : real * new.count)
        } else {
            try evaluator.charge(bytes: added)
        }
        try evaluator.charge(elements: old.isEmpty ? text.count : 0)
        try evaluator.step(count: most / 4)
        return try evaluator.text(text.replacing(old, with: new, limit: count))
    }

    /// Lines after the first get white space in front.
    static func indent(
        _ evaluator: TemplateEvaluator, _ text: MarkedText, by indentation: MarkedText, first: Bool, blank: Bool
    ) throws(ChatTemplateError) -> TemplateValue {
        let lines = (text + MarkedText("\n", isTrusted: true)).lines(keepsEnds: false, limit: evaluator.mostElements)
        try evaluator.charge(elements: lines.count)
        try evaluator.charge(bytes: lines.count.multipliedReportingOverflow(by: indentation.count + 1).partialValue)
        var result = MarkedText()
        for (index, line) in lines.enumerated() {
            if index > 0 { result.append("\n", isTrusted: true) }
            if index > 0 ? blank || !line.isEmpty : first { result.append(indentation) }
            result.append(line)
        }
        return try evaluator.text(result)
    }
}
