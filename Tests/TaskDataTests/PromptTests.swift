import TaskData
import Testing

/// Prompts and choices of each task, and the forms in which data comes.
@Suite struct PromptTests {
    private func file(_ task: String, _ text: String, path: String = "data.jsonl") throws -> TaskFile {
        try TaskFile(kind: try #require(TaskKind(name: task)), path: path, bytes: Array(text.utf8))
    }

    private func only(_ task: String, _ text: String, path: String = "data.jsonl") throws -> TaskQuestion {
        let file = try file(task, text, path: path)
        #expect(file.count == 1)
        return try #require(file.groups.first?.questions.first)
    }

    @Test func mmlu() throws {
        let file = try file("mmlu", #"{"question":"\u00a0 Q?\n","subject":"college_biology","choices":["a","b ","c","d"],"answer":3}"#)
        let question = file.groups[0].questions[0]
        #expect(question.text == "Q?\nA. a\nB. b \nC. c\nD. d\nAnswer:" && question.choices == ["A", "B", "C", "D"] && question.answer == 3)
        #expect(
            FewShot.none.header(file.kind, subject: file.groups[0].subject) == "The following are multiple choice questions (with answers) about college biology.\n\n")
    }

    /// MMLU's own download: no header, the subject in the file's name only.
    @Test func mmluWithoutHeader() throws {
        let file = try file("mmlu_anatomy", "\"Q, with comma\",a,b,c,d,C\nR,a,b,c,d,A\n", path: "anatomy_test.csv")
        #expect(file.count == 2 && file.groups[0].subject == "anatomy")
        #expect(file.groups[0].questions[0].text == "Q, with comma\nA. a\nB. b\nC. c\nD. d\nAnswer:" && file.groups[0].questions[0].answer == 2)
    }

    @Test func subjectsAreApart() throws {
        let rows = ["anatomy", "virology", "anatomy"].map { #"{"question":"Q","subject":"\#($0)","choices":["a","b","c","d"],"answer":0}"# }.joined(separator: "\n")
        let all = try file("mmlu", rows)
        #expect(all.groups.map(\.subject) == ["anatomy", "virology"] && all.groups.map(\.questions.count) == [2, 1])
        let one = try file("mmlu_anatomy", rows)
        #expect(one.count == 2 && one.notes == ["data.jsonl: 1 rows about other subjects left out"])
        let error = #expect(throws: DataError.self) { _ = try file("mmlu_astronomy", rows) }
        #expect(error.map { "\($0)" } == "data.jsonl: field 'subject': no row is about 'astronomy'; the subjects here are anatomy, virology")
    }

    @Test func otherTasks() throws {
        let medqa = try only("medqa_4options", #"{"id":"t","sent1":"S","sent2":"","ending0":"w","ending1":"x","ending2":"y","ending3":"z","label":1}"#)
        #expect(medqa.text == "Question: S\nA. w\nB. x\nC. y\nD. z\nAnswer:" && medqa.answer == 1 && medqa.id == "t")
        let medmcqa = try only("medmcqa", #"{"id":"u","question":"S","opa":"w","opb":"x","opc":"y","opd":"z","cop":2,"exp":null}"#)
        #expect(medmcqa.text == "Question: S\nChoices:\nA. w\nB. x\nC. y\nD. z\nAnswer:" && medmcqa.answer == 2)
        let pubmed = try only("pubmedqa", #"{"QUESTION":"S?","CONTEXTS":["one","two"],"final_decision":"maybe"}"#)
        #expect(pubmed.text == "Abstract: one\ntwo\nQuestion: S?\nAnswer:" && pubmed.choices == ["yes", "no", "maybe"] && pubmed.answer == 2)
        // As the data set's rows are written, and as its columns are stored.
        for answers in [#"[{"aid":1,"atext":"x y"},{"aid":2,"atext":"z"}]"#, #"{"aid":[1,2],"atext":["x y","z"]}"#] {
            let head = try only("headqa_es", #"{"name":"n","year":"2013","category":"c","qid":"7","qtext":"¿S?","answers":\#(answers),"ra":2}"#)
            #expect(head.text == "Question: ¿S?\nAnswer:" && head.choices == ["x y", "z"] && head.answer == 1 && head.id == "c/n/2013/7")
        }
    }

    @Test func freeForm() throws {
        let expected = "Question: S\nA. w\nB. x\nC. y\nAnswer:"
        for row in [
            #"{"question":"S","options":{"C":"y","A":"w","B":"x","D":null},"answer":"x","answer_idx":"B"}"#, #"{"question":"S","options":["w","x","y"],"answer":"B"}"#,
            #"{"question":"S","A":"w","B":"x","C":"y","D":null,"answer":"x"}"#,
        ] {
            let question = try only("usmle_sample_exam", row)
            #expect(question.text == expected && question.choices == ["A", "B", "C"] && question.answer == 1, "\(row)")
        }
        let csv = try only("usmle", "\u{FEFF}no,question,A,B,C,D,E,F,G,answer\r\n1,S,w,x,y,,,,,B\r\n", path: "step1.csv")
        #expect(csv.text == expected && csv.answer == 1 && csv.id == "1")
    }

    @Test func csvHoldsWhatQuotesHold() throws {
        let row = try only("medqa_4options", "label,sent1,ending0,ending1,ending2,ending3\n0,\"one, \"\"two\"\"\nthree\",\"\"\"\",b,c,d", path: "DATA.CSV")
        #expect(row.text == "Question: one, \"two\"\nthree\nA. \"\nB. b\nC. c\nD. d\nAnswer:" && row.line == 2)
    }

    @Test func examplesComeFirst() throws {
        let examples = try file("medqa_4options", (0..<3).map { #"{"sent1":"E\#($0)","ending0":"w","ending1":"x","ending2":"y","ending3":"z","label":\#($0)}"# }.joined(separator: "\n"))
        let task = try file("medqa_4options", #"{"sent1":"E1","ending0":"w","ending1":"x","ending2":"y","ending3":"z","label":1}"#)
        let two = try FewShot(count: 2, file: examples, for: task)
        #expect(two.header(task.kind, subject: nil) == "Question: E0\nA. w\nB. x\nC. y\nD. z\nAnswer: A\n\nQuestion: E1\nA. w\nB. x\nC. y\nD. z\nAnswer: B\n\n")
        #expect(two.notes == ["data.jsonl: line 2: this example is also scored (data.jsonl: line 1); take examples of another split"])
        let error = #expect(throws: DataError.self) { _ = try FewShot(count: 4, file: examples, for: task) }
        #expect(error.map { "\($0)" } == "data.jsonl: holds 3 examples, expected at least 4; give a smaller --fewshot or another file")
    }

    @Test func names() {
        for name in TaskKind.names where name != "mmlu_SUBJECT" && name != "headqa" { #expect(TaskKind(name: name)?.name == name) }
        #expect(TaskKind(name: "headqa") == TaskKind(name: "headqa_en"))
        #expect(TaskKind(name: "mmlu_college_biology")?.name == "mmlu_college_biology")
        for name in ["", "mmlu_", "mmlu_a/b", "medqa", "headqa_fr", "usmle_x"] { #expect(TaskKind(name: name) == nil, "\(name)") }
    }
}
