import StrictJSON

/// Rows to questions, by the published column names.
extension TaskKind {
    static let letters = ["A", "B", "C", "D", "E", "F", "G"]

    func question(_ record: DataRecord) throws(DataError) -> TaskQuestion {
        switch self {
        case .mmlu(let subject): try mmlu(record, subject)
        case .medqa: try medqa(record)
        case .medmcqa: try medmcqa(record)
        case .headqa: try headqa(record)
        case .pubmedqa: try pubmedqa(record)
        case .usmle: try usmle(record)
        }
    }

    private static func lines(_ options: [String]) -> String { zip(letters, options).map { "\($0). \($1)\n" }.joined() }

    /// cais/mmlu: question, subject, choices, answer. Or question, A, B, C, D, answer.
    private func mmlu(_ record: DataRecord, _ subject: String?) throws(DataError) -> TaskQuestion {
        var own = subject
        if let found = record.optional("subject") {
            guard let name = found.string.flatMap(Self.subject) else { throw record.fail("subject", "is \(found.summary), expected a name such as 'anatomy'") }
            own = name
        }
        guard let own else {
            throw record.fail("subject", "is missing or empty, expected a name such as 'anatomy'; for data without that column, name it in the task: --task mmlu_anatomy")
        }
        let expected = "a list of 4 texts"
        var options: [String] = []
        if record.values["A"] != nil, record.values["choices"] == nil {
            for letter in Self.letters.prefix(4) { options.append(try record.text(letter)) }
        } else {
            options = try record.texts("choices", expected)
            guard options.count == 4 else { throw record.fail("choices", "has \(options.count) items, expected \(expected)") }
        }
        let answer = try letterOrIndex(record, "answer", count: 4)
        return TaskQuestion(
            line: record.line, id: nil, subject: own, text: "\(Self.stripped(try record.text("question")))\n\(Self.lines(options))Answer:",
            choices: Array(Self.letters.prefix(4)), answer: answer)
    }

    private func letterOrIndex(_ record: DataRecord, _ field: String, count: Int) throws(DataError) -> Int {
        let last = Self.letters[count - 1]
        let value = try record.value(field, "0...\(count - 1) or A...\(last)")
        if let text = value.string, let index = Self.letters.prefix(count).firstIndex(of: text) { return index }
        if let index = DataRecord.integer(value), (0..<count).contains(index) { return index }
        throw record.fail(field, "is \(value.summary), expected the right choice as 0...\(count - 1) or A...\(last)")
    }

    /// As Python's strip does.
    private static func stripped(_ text: String) -> String {
        func isSpace(_ scalar: Unicode.Scalar) -> Bool { scalar.properties.isWhitespace || (0x1C...0x1F).contains(scalar.value) }
        let scalars = text.unicodeScalars
        guard let first = scalars.firstIndex(where: { !isSpace($0) }), let last = scalars.lastIndex(where: { !isSpace($0) }) else { return "" }
        return String(scalars[first...last])
    }

    /// GBaker/MedQA-USMLE-4-options-hf: id, sent1, sent2, ending0...ending3, label.
    private func medqa(_ record: DataRecord) throws(DataError) -> TaskQuestion {
        var options: [String] = []
        for index in 0..<4 { options.append(try record.text("ending\(index)")) }
        let answer = try record.integer("label", in: 0...3, "the right ending")
        return TaskQuestion(
            line: record.line, id: try identifier(record, ["id"]), subject: nil, text: "Question: \(try record.text("sent1"))\n\(Self.lines(options))Answer:",
            choices: Array(Self.letters.prefix(4)), answer: answer)
    }

    /// openlifescienceai/medmcqa: id, question, opa, opb, opc, opd, cop.
    private func medmcqa(_ record: DataRecord) throws(DataError) -> TaskQuestion {
        var options: [String] = []
        for letter in "abcd" { options.append(try record.text("op\(letter)")) }
        let answer = try record.integer(
            "cop", in: 0...3, "the right choice counted from 0, as openlifescienceai/medmcqa has it; its test split has no answers (take validation), and files of the authors' own download count from 1")
        return TaskQuestion(
            line: record.line, id: try identifier(record, ["id"]), subject: nil, text: "Question: \(try record.text("question"))\nChoices:\n\(Self.lines(options))Answer:",
            choices: Array(Self.letters.prefix(4)), answer: answer)
    }

    /// EleutherAI/headqa: qtext, answers (each aid, atext), ra; name, year, category, qid identify the question.
    private func headqa(_ record: DataRecord) throws(DataError) -> TaskQuestion {
        let expected = "a list of objects with atext, or an object with the list atext"
        let answers = try record.structure("answers", expected)
        var texts: [String] = []
        let items = answers.array?.map { $0["atext"] } ?? answers["atext"]?.array?.map { Optional($0) }
        guard let items else { throw record.fail("answers", "is \(answers.summary), expected \(expected)") }
        for (index, item) in items.enumerated() {
            guard let text = item?.string else { throw record.fail("answers", "answer \(index + 1) has \(item.map { "the atext \($0.summary)" } ?? "no atext"), expected a text") }
            texts.append(text)
        }
        guard (2...10).contains(texts.count) else { throw record.fail("answers", "has \(texts.count) answers, expected 2...10") }
        let right = try record.integer("ra", in: 1...texts.count, "the right answer counted from 1")
        return TaskQuestion(
            line: record.line, id: try identifier(record, ["category", "name", "year", "qid"]), subject: nil, text: "Question: \(try record.text("qtext"))\nAnswer:",
            choices: texts, answer: right - 1)
    }

    /// bigbio/pubmed_qa, pubmed_qa_labeled_fold0_source: QUESTION, CONTEXTS, final_decision.
    private func pubmedqa(_ record: DataRecord) throws(DataError) -> TaskQuestion {
        let contexts = try record.texts("CONTEXTS", "a list of texts"), choices = ["yes", "no", "maybe"]
        let decision = try record.text("final_decision")
        guard let answer = choices.firstIndex(of: decision) else {
            throw record.fail("final_decision", "is \(JSONString.quoted(decision)), expected yes, no or maybe")
        }
        return TaskQuestion(
            line: record.line, id: nil, subject: nil, text: "Abstract: \(contexts.joined(separator: "\n"))\nQuestion: \(try record.text("QUESTION"))\nAnswer:",
            choices: choices, answer: answer)
    }

    /// question; options {"A": ...}, or a list of texts, or columns A, B, ...; answer_idx, or answer: a letter, or the right option's text.
    private func usmle(_ record: DataRecord) throws(DataError) -> TaskQuestion {
        let options = try usmleOptions(record)
        let letters = Self.letters.prefix(options.count)
        let field = record.optional("answer_idx") == nil ? "answer" : "answer_idx"
        let answer = try record.text(field)
        let matches = options.indices.filter { options[$0] == answer }
        guard let index = letters.firstIndex(of: answer) ?? (matches.count == 1 ? matches[0] : nil) else {
            throw record.fail(field, "is \(JSONString.quoted(answer)), expected A...\(letters.last!) or the text of exactly one option")
        }
        return TaskQuestion(
            line: record.line, id: try identifier(record, record.optional("id") == nil ? ["no"] : ["id"]), subject: nil,
            text: "Question: \(try record.text("question"))\n\(Self.lines(options))Answer:", choices: Array(letters), answer: index)
    }

    private func usmleOptions(_ record: DataRecord) throws(DataError) -> [String] {
        let expected = "2...7 options as {\"A\": \"...\", \"B\": \"...\"} or as a list of texts"
        var field = "options"
        var found: [(letter: String, value: JSONValue?)] = []
        if record.values["options"] == nil, record.values["A"] != nil {
            field = "A"
            found = Self.letters.map { ($0, record.optional($0)) }
            if let more = ["H", "I", "J"].first(where: { record.optional($0) != nil }) { throw record.fail(more, "is an eighth option or a later one, expected at most 7, A...G") }
        } else {
            let value = try record.structure("options", expected)
            if value.array != nil {
                let texts = try record.texts("options", expected)
                found = texts.enumerated().map { ($0 < 7 ? Self.letters[$0] : "option \($0 + 1)", JSONValue($1)) }
            } else if let object = value.object {
                let filled = object.members.filter { !$0.value.isNull }.map { ($0.key.string, $0.value) }
                found = filled.sorted { $0.0 < $1.0 }.map { ($0.0, Optional($0.1)) }
            } else {
                throw record.fail("options", "is \(value.summary), expected \(expected)")
            }
        }
        while let last = found.last, last.value == nil { found.removeLast() }
        guard (2...7).contains(found.count) else { throw record.fail(field, "\(found.count) \(found.count == 1 ? "option" : "options"), expected \(expected)") }
        var texts: [String] = []
        for (index, option) in found.enumerated() {
            guard option.letter == Self.letters[index] else { throw record.fail(field, "has the option \(JSONString.quoted(option.letter)), expected \(Self.letters[index])") }
            guard let text = option.value?.string else {
                throw record.fail(field, "option \(option.letter) is \(option.value?.summary ?? "empty"), expected a text")
            }
            texts.append(text)
        }
        return texts
    }

    /// The columns' values joined; nil when the last one is missing.
    private func identifier(_ record: DataRecord, _ fields: [String]) throws(DataError) -> String? {
        guard let last = fields.last, record.optional(last) != nil else { return nil }
        var parts: [String] = []
        for field in fields {
            guard let value = record.optional(field) else { continue }
            guard let text = value.string ?? DataRecord.integer(value).map({ "\($0)" }) else { throw record.fail(field, "is \(value.summary), expected a text or a number") }
            parts.append(text)
        }
        return parts.joined(separator: "/")
    }
}
