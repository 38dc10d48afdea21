/// Accuracies in percent that the makers of medical models published, in the rows of Med42's model card (m42-health/med42-70b). Quern did not measure
/// them. The card's figures are zero-shot, those of Med-PaLM 2 are 5-shot.
package enum PublishedScores {
    package static let models = ["Med42", "ClinicalCamel", "GPT-3.5", "GPT-4", "Med-PaLM 2"]

    package struct Row: Sendable {
        /// As results name it.
        package let task: String
        package let title: String
        /// In the order of `models`; nil where the card has none.
        package let percent: [Double?]
    }

    package static let rows: [Row] = [
        Row(task: "mmlu_clinical_knowledge", title: "MMLU Clinical Knowledge", percent: [74.3, 69.8, 69.8, 86.0, 88.3]),
        Row(task: "mmlu_college_biology", title: "MMLU College Biology", percent: [84.0, 79.2, 72.2, 95.1, 94.4]),
        Row(task: "mmlu_college_medicine", title: "MMLU College Medicine", percent: [68.8, 67.0, 61.3, 76.9, 80.9]),
        Row(task: "mmlu_medical_genetics", title: "MMLU Medical Genetics", percent: [86.0, 69.0, 70.0, 91.0, 90.0]),
        Row(task: "mmlu_professional_medicine", title: "MMLU Professional Medicine", percent: [79.8, 71.3, 70.2, 93.0, 95.2]),
        Row(task: "mmlu_anatomy", title: "MMLU Anatomy", percent: [67.4, 62.2, 56.3, 80.0, 77.8]),
        Row(task: "medmcqa", title: "MedMCQA", percent: [60.9, 47.0, 50.1, 69.5, 71.3]),
        Row(task: "medqa_4options", title: "MedQA", percent: [61.5, 53.4, 50.8, 78.9, 79.7]),
        Row(task: "usmle_self_assessment", title: "USMLE Self-Assessment", percent: [71.7, nil, 49.1, 83.8, nil]),
        Row(task: "usmle_sample_exam", title: "USMLE Sample Exam", percent: [72.0, 54.3, 56.9, 84.3, nil]),
    ]

    /// Also of tasks that the card does not have.
    package static func title(of task: String) -> String {
        if let row = rows.first(where: { $0.task == task }) { return row.title }
        switch task {
        case "headqa_en": return "HEAD-QA (English)"
        case "headqa_es": return "HEAD-QA (Spanish)"
        case "pubmedqa": return "PubMedQA"
        case "usmle": return "USMLE"
        default:
            guard task.hasPrefix("mmlu_") else { return task }
            let words = task.dropFirst(5).split(separator: "_").map { $0.prefix(1).uppercased() + $0.dropFirst() }
            return "MMLU " + words.joined(separator: " ")
        }
    }
}
