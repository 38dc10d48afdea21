/// A multiple-choice question as it is put to a model.
package struct TaskQuestion: Sendable, Equatable {
    /// In the data file, counted from 1.
    package let line: Int
    /// The data's own name for it, if it has one.
    package let id: String?
    /// Of MMLU, with spaces written as "_".
    package let subject: String?
    /// The question as lm-evaluation-harness writes it, up to "Answer:".
    package let text: String
    /// What may follow, without the space in between: letters, words, or whole answers.
    package let choices: [String]
    /// The right choice.
    package let answer: Int

    package init(line: Int, id: String?, subject: String?, text: String, choices: [String], answer: Int) {
        precondition(choices.indices.contains(answer), "answer \(answer) of \(choices.count)")
        (self.line, self.id, self.subject, self.text, self.choices, self.answer) = (line, id, subject, text, choices, answer)
    }

    /// Solved, as an example for the model.
    package var solved: String { "\(text) \(choices[answer])" }
}
