/// A multiple-choice benchmark: its name, its columns, its prompt. All as lm-evaluation-harness 0.4.13 has them, but for `usmle`, which it lacks.
package enum TaskKind: Sendable, Hashable {
    /// nil takes each row's subject from its column.
    case mmlu(subject: String?)
    case medqa
    case medmcqa
    case headqa(language: String)
    case pubmedqa
    /// The part of the USMLE that the questions are from.
    case usmle(part: String?)

    /// As `--task` takes it.
    package static let names = [
        "mmlu", "mmlu_SUBJECT", "medqa_4options", "medmcqa", "headqa", "headqa_en", "headqa_es", "pubmedqa", "usmle", "usmle_self_assessment", "usmle_sample_exam",
    ]

    package init?(name: String) {
        switch name {
        case "mmlu": self = .mmlu(subject: nil)
        case "medqa_4options": self = .medqa
        case "medmcqa": self = .medmcqa
        case "headqa": self = .headqa(language: "en")
        case "headqa_en", "headqa_es": self = .headqa(language: String(name.suffix(2)))
        case "pubmedqa": self = .pubmedqa
        case "usmle": self = .usmle(part: nil)
        case "usmle_self_assessment", "usmle_sample_exam": self = .usmle(part: String(name.dropFirst(6)))
        default:
            guard name.hasPrefix("mmlu_"), let subject = Self.subject(String(name.dropFirst(5))) else { return nil }
            self = .mmlu(subject: subject)
        }
    }

    package var name: String {
        switch self {
        case .mmlu(let subject): subject.map { "mmlu_\($0)" } ?? "mmlu"
        case .medqa: "medqa_4options"
        case .medmcqa: "medmcqa"
        case .headqa(let language): "headqa_\(language)"
        case .pubmedqa: "pubmedqa"
        case .usmle(let part): part.map { "usmle_\($0)" } ?? "usmle"
        }
    }

    /// The name of a subject, in lower case with "_" for spaces; nil unless it is made of letters, digits and "_".
    package static func subject(_ text: String) -> String? {
        let name = text.lowercased().map { $0 == " " ? "_" : $0 }
        guard (1...80).contains(name.count), name.allSatisfy({ $0 == "_" || ($0.isASCII && ($0.isLetter || $0.isNumber)) }) else { return nil }
        return String(name)
    }

    /// What stands before the first example, or before the question when there is none.
    package func description(subject: String?) -> String {
        guard case .mmlu = self else { return "" }
        let name = (subject ?? "").map { $0 == "_" ? " " : $0 }
        return "The following are multiple choice questions (with answers) about \(String(name)).\n\n"
    }

    /// Whether acc_norm can differ from acc, and is reported.
    package var reportsNormalized: Bool {
        switch self {
        case .headqa, .medqa, .medmcqa: true
        case .mmlu, .pubmedqa, .usmle: false
        }
    }

    /// MMLU's own download has no header: question, four choices, the answer's letter.
    var headerless: RecordReader.HeaderlessColumns? {
        guard case .mmlu = self else { return nil }
        return RecordReader.HeaderlessColumns(names: ["question", "A", "B", "C", "D", "answer"]) { first in
            first.count == 6 && ["A", "B", "C", "D"].contains(first[5]) && first[0] != "question"
        }
    }
}
