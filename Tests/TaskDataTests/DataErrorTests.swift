import StrictJSON
import TaskData
import Testing

/// What is wrong with a data file is said with file, line and field.
@Suite struct DataErrorTests {
    private func message(_ task: String, _ text: String, path: String = "data.jsonl") throws -> String {
        try message(task, Array(text.utf8), path: path)
    }

    private func message(_ task: String, _ bytes: [UInt8], path: String = "data.jsonl") throws -> String {
        let kind = try #require(TaskKind(name: task))
        let error = #expect(throws: DataError.self) { _ = try TaskFile(kind: kind, path: path, bytes: bytes) }
        return error.map { "\($0)" } ?? ""
    }

    private static let medqa = #"{"id":"a","sent1":"Q","ending0":"w","ending1":"x","ending2":"y","ending3":"z","label":2}"#

    @Test func emptyFiles() throws {
        #expect(try message("medqa_4options", "") == "data.jsonl: holds no row, expected questions as JSON lines or CSV")
        #expect(try message("medqa_4options", " \n\r\n\t") == "data.jsonl: holds no row, expected questions as JSON lines or CSV")
        #expect(try message("usmle", "question,A,B,answer\n", path: "d.csv") == "d.csv: holds a header and no row, expected questions")
    }

    @Test func missingColumns() throws {
        #expect(
            try message("medqa_4options", Self.medqa + "\n" + Self.medqa.replacing("label", with: "gold").replacing("\"a\"", with: "\"b\""))
                == "data.jsonl: line 2: field 'label': is missing, expected 0...3, the right ending; the columns here are 'id', 'sent1', 'ending0', 'ending1', 'ending2', 'ending3', 'gold'")
        #expect(try message("medqa_4options", Self.medqa.replacing("\"x\"", with: "null")) == "data.jsonl: line 1: field 'ending1': is empty, expected a text")
        #expect(try message("medqa_4options", Self.medqa.replacing("\"x\"", with: "7")) == "data.jsonl: line 1: field 'ending1': is 7, expected a text")
        #expect(
            try message("mmlu", #"{"question":"Q","choices":["a","b","c","d"],"answer":0}"#)
                == "data.jsonl: line 1: field 'subject': is missing or empty, expected a name such as 'anatomy'; for data without that column, name it in the task: --task mmlu_anatomy")
    }

    @Test func wrongAnswerKeys() throws {
        #expect(try message("medqa_4options", Self.medqa.replacing(":2}", with: ":4}")) == "data.jsonl: line 1: field 'label': is 4, expected 0...3, the right ending")
        #expect(try message("medqa_4options", Self.medqa.replacing(":2}", with: ":1.5}")) == "data.jsonl: line 1: field 'label': is 1.5, expected 0...3, the right ending")
        #expect(
            try message("mmlu_anatomy", #"{"question":"Q","choices":["a","b","c","d"],"answer":"E"}"#)
                == "data.jsonl: line 1: field 'answer': is the string 'E', expected the right choice as 0...3 or A...D")
        #expect(
            try message("pubmedqa", #"{"QUESTION":"Q","CONTEXTS":["c"],"final_decision":"Yes"}"#)
                == "data.jsonl: line 1: field 'final_decision': is 'Yes', expected yes, no or maybe")
        #expect(
            try message("headqa_en", #"{"qtext":"Q","answers":[{"aid":1,"atext":"x"},{"aid":2,"atext":"y"}],"ra":3}"#)
                == "data.jsonl: line 1: field 'ra': is 3, expected 1...2, the right answer counted from 1")
        #expect(
            try message("usmle", #"{"question":"Q","options":{"A":"x","B":"y"},"answer_idx":"C"}"#)
                == "data.jsonl: line 1: field 'answer_idx': is 'C', expected A...B or the text of exactly one option")
        let test = try message("medmcqa", #"{"question":"Q","opa":"a","opb":"b","opc":"c","opd":"d","cop":-1}"#)
        #expect(test.hasPrefix("data.jsonl: line 1: field 'cop': is -1, expected 0...3, the right choice counted from 0") && test.contains("test split has no answers"))
    }

    /// The authors' own download of MedMCQA counts answers from 1.
    @Test func answersCountedFromOne() throws {
        let rows = (0..<60).map { #"{"question":"Q\#($0)","opa":"a","opb":"b","opc":"c","opd":"d","cop":\#(1 + $0 % 3)}"# }
        #expect(
            try message("medmcqa", rows.joined(separator: "\n"))
                == "data.jsonl: field 'cop': is never 0 in 60 rows, expected answers counted from 0; this data seems to count them from 1")
    }

    @Test func tooFewOrStrangeOptions() throws {
        #expect(
            try message("usmle", #"{"question":"Q","options":{"A":"x"},"answer":"A"}"#)
                == #"data.jsonl: line 1: field 'options': 1 option, expected 2...7 options as {"A": "...", "B": "..."} or as a list of texts"#)
        #expect(
            try message("usmle", #"{"question":"Q","options":["1","2","3","4","5","6","7","8"],"answer":"A"}"#)
                == #"data.jsonl: line 1: field 'options': 8 options, expected 2...7 options as {"A": "...", "B": "..."} or as a list of texts"#)
        #expect(try message("usmle", #"{"question":"Q","options":{"A":"x","C":"y"},"answer":"A"}"#) == "data.jsonl: line 1: field 'options': has the option 'C', expected B")
        #expect(
            try message("usmle", "question,A,B,C,answer\nQ,x,,y,A\n", path: "d.csv") == "d.csv: line 2: field 'A': option B is empty, expected a text")
        #expect(
            try message("mmlu_anatomy", #"{"question":"Q","choices":["a","b","c"],"answer":0}"#)
                == "data.jsonl: line 1: field 'choices': has 3 items, expected a list of 4 texts")
        #expect(
            try message("headqa_en", #"{"qtext":"Q","answers":[{"aid":1,"atext":"x"}],"ra":1}"#) == "data.jsonl: line 1: field 'answers': has 1 answers, expected 2...10")
        #expect(
            try message("headqa_en", #"{"qtext":"Q","answers":[{"aid":1},{"aid":2,"atext":"y"}],"ra":1}"#)
                == "data.jsonl: line 1: field 'answers': answer 1 has no atext, expected a text")
        #expect(
            try message("pubmedqa", #"{"QUESTION":"Q","CONTEXTS":"c","final_decision":"yes"}"#)
                == "data.jsonl: line 1: field 'CONTEXTS': is the string 'c', expected a list of texts")
    }

    @Test func duplicateIDs() throws {
        #expect(
            try message("medqa_4options", Self.medqa + "\n\n" + Self.medqa)
                == "data.jsonl: line 3: field 'id': is 'a', which line 1 has as well; every question may be there once")
    }

    @Test func brokenJSON() throws {
        let broken = try message("medqa_4options", Self.medqa + "\n{\"id\":")
        #expect(broken == "data.jsonl: line 2: no valid JSON: byte 6: expected a value, found the end of the text; expected one object per line")
        #expect(try message("medqa_4options", Self.medqa + "\n[1]") == "data.jsonl: line 2: is an array, expected an object, one per line")
        #expect(try message("medqa_4options", "[\(Self.medqa)]") == "data.jsonl: line 1: is an array, expected an object, one per line; of an array, jq -c '.[]' makes lines")
        #expect(try message("medqa_4options", "{\n\"a\":1}").hasSuffix("expected one object per line; of a file with one large object, jq makes lines"))
        #expect(try message("medqa_4options", Array("{\"id\":\"".utf8) + [0xFF] + Array("\"}".utf8)) == "data.jsonl: line 1: no valid JSON: byte 7: invalid UTF-8; expected one object per line; of a file with one large object, jq makes lines")
        #expect(try message("medqa_4options", #"{"id":1,"id":2}"#).contains("the key 'id' appears twice in one object"))
        let long = try message("medqa_4options", Self.medqa + "\n\"" + String(repeating: "x", count: 5 << 20) + "\"")
        #expect(long == "data.jsonl: line 2: 5242882 bytes, expected at most 4194304; is this JSON with one object per line?")
    }

    @Test func brokenCSV() throws {
        func csv(_ text: String) throws -> String { try message("usmle", text, path: "d.csv") }
        #expect(try csv("question,A,B,answer\nQ,x,y\n") == "d.csv: line 2: 3 fields, expected 4 as in the first row; fields with commas or line breaks need quotes")
        #expect(try csv("question,A,B,answer\nQ,\"x,y,A\n") == "d.csv: line 2: the quote that opens here is never closed")
        #expect(try csv("question,A,B,answer\nQ \"a\",x,y,A\n") == "d.csv: line 2: a quote inside a field without quotes; put the field in quotes and double the one inside")
        #expect(try csv("question,A,B,answer\n\"Q\"a,x,y,A\n") == "d.csv: line 2: text follows the closing quote of a field; a quote inside a quoted field is written twice")
        #expect(try csv("question,A,A,answer\nQ,x,y,A\n") == "d.csv: line 1: field 'A': appears twice in the header")
        #expect(try csv("question,,B,answer\nQ,x,y,A\n") == "d.csv: line 1: column 2 has no name, expected a header with the columns' names")
        #expect(try csv("question,A,B,answer\rQ,x,y,A\r").hasPrefix("d.csv: line 1: a carriage return without a line feed"))
        #expect(
            try message("usmle", Array("question,A,B,answer\n\"a\nb\",x,y,A\nQ,".utf8) + [0xC3] + Array(",y,A\n".utf8), path: "d.csv")
                == "d.csv: line 4: column 2 is no valid UTF-8; save the file as UTF-8")
        // A file of lines with the other one's name
        #expect(try csv(Self.medqa + "\n" + Self.medqa).hasPrefix("d.csv: line 1: a quote inside a field without quotes"))
        #expect(try message("medqa_4options", "id,sent1\n1,Q\n") == "data.jsonl: line 1: no valid JSON: byte 0: expected a value, found 'i'; expected one object per line; name a CSV file .csv")
        #expect(
            try message("mmlu_anatomy", "question,subject,choices,answer\nQ,anatomy,\"['a' 'b']\",0\n", path: "d.csv")
                == "d.csv: line 2: field 'choices': is the text '['a' 'b']', expected a list of 4 texts as JSON; CSV has no lists, so take the data as JSON lines")
    }

    /// Whatever is cut or changed: an error or questions, never a trap.
    @Test func damagedFiles() throws {
        let kind = try #require(TaskKind(name: "usmle"))
        let texts = [
            #"{"no":1,"question":"Q","options":{"A":"x","B":"y\u00e9"},"answer_idx":"B"}"# + "\n", "\u{FEFF}no,question,A,B,answer\r\n1,\"Q, \"\"é\"\"\r\n\",x,y,B\r\n",
        ]
        for text in texts {
            let bytes = Array(text.utf8)
            for length in 0..<bytes.count { _ = try? TaskFile(kind: kind, path: "d", bytes: Array(bytes[..<length])) }
            for position in bytes.indices {
                for value in [0x00, 0x0A, 0x22, 0x2C, 0x5B, 0x7B, 0xC3, 0xFF] as [UInt8] {
                    var changed = bytes
                    changed[position] = value
                    _ = try? TaskFile(kind: kind, path: "d", bytes: changed)
                }
            }
            #expect(try TaskFile(kind: kind, path: "d", bytes: bytes).count == 1)
        }
    }
}
