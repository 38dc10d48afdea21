import Foundation
import Testing

@Suite struct ReportTests {
    private func converted(_ scratch: Scratch) throws -> String {
        #expect(try QuernProcess.run("convert", QuernProcess.fixture, "-o", scratch.path("m.quern")).code == 0)
        return scratch.path("m.quern")
    }

    @Test func pageIsTheSameForEveryPathAndThreadCount() throws {
        let scratch = try Scratch()
        let file = try converted(scratch)
        try FileManager.default.copyItem(atPath: file, toPath: scratch.path("other.quern"))
        let first = try QuernProcess.run("report", file, "-o", scratch.path("a.html"), "--against", QuernProcess.fixture, "--threads", "1")
        let second = try QuernProcess.run("report", scratch.path("other.quern"), "-o", scratch.path("b.html"), "--against", QuernProcess.fixture)
        #expect(first.code == 0 && second.code == 0, "\(first.errors) \(second.errors)")
        #expect(try scratch.bytes("a.html") == scratch.bytes("b.html"))
        let page = try scratch.text("a.html")
        for text in ["No gates were stated", "identical to the last bit", "SHA-256 of each of 75\u{A0}tensors is right", "model.<wbr>layers.<wbr>7.<wbr>mlp"] {
            #expect(page.contains(text), "\(text)")
        }
        #expect(!page.contains(scratch.folder))
        #expect(try scratch.names().sorted() == ["a.html", "b.html", "m.quern", "other.quern"])
    }

    @Test func gatesHaveTheirExitCode() throws {
        let scratch = try Scratch()
        let file = try converted(scratch)
        try #"{"scored": 100, "mean_kld": 0.002, "same_top": 0.95}"#.write(toFile: scratch.path("e.json"), atomically: true, encoding: .utf8)
        let passed = try QuernProcess.run("report", file, "--eval", scratch.path("e.json"), "--min-sqnr", "20", "--max-kld", "0.01", in: scratch.folder)
        #expect(passed.code == 0, "\(passed.errors)")
        #expect(try scratch.text("m-report.html").contains("All 2 gates that were stated are met."))
        let failed = try QuernProcess.run("report", file, "-o", scratch.path("f.html"), "--eval", scratch.path("e.json"), "--min-same-top", "99")
        #expect(failed.code == 2)
        #expect(failed.errors.contains("same top token is 95.0 ± 2.2\u{202F}%, expected at least 99.00\u{202F}% (--min-same-top)"), "\(failed.errors)")
        #expect(try scratch.text("f.html").contains("1 of 1\u{A0}gate not met."))
        #expect(try QuernProcess.run("report", file, "--max-kld", "1").code == 64)
        #expect(try QuernProcess.run("report", file, "--eval", scratch.path("e.json"), "--min-same-top", "0.95").code == 64)
    }

    @Test func nothingIsWrittenWhenSomethingIsWrong() throws {
        let scratch = try Scratch()
        let file = try converted(scratch)
        try "{}".write(toFile: scratch.path("e.json"), atomically: true, encoding: .utf8)
        let evaluation = try QuernProcess.run("report", file, "-o", scratch.path("r.html"), "--eval", scratch.path("e.json"))
        #expect(evaluation.code == 1 && evaluation.errors.contains("e.json: has neither 'perplexity' nor 'mean_kld'"), "\(evaluation.errors)")
        for output in [file, scratch.path("e.json")] {
            let run = try QuernProcess.run("report", file, "-o", output, "--eval", scratch.path("e.json"))
            #expect(run.code == 1 && !run.errors.isEmpty)
        }
        #expect(try scratch.text("e.json") == "{}")
        let folder = try QuernProcess.run("report", file, "-o", scratch.path("none/r.html"))
        #expect(folder.code == 1 && folder.errors.contains("does not exist"), "\(folder.errors)")
        try scratch.edit("m.quern") { $0[5000] ^= 1 }
        let damaged = try QuernProcess.run("report", file, "-o", scratch.path("r.html"))
        #expect(damaged.code == 1 && damaged.errors.contains("tensor 'model.embed_tokens.weight'"), "\(damaged.errors)")
        #expect(try scratch.names() == ["e.json", "m.quern"])
        #expect(try QuernProcess.run("report", file, "-o", scratch.path("r.html"), "--no-digests").code == 0)
        #expect(try scratch.text("r.html").contains("not verified"))
    }

    @Test func anotherSourceFails() throws {
        let scratch = try Scratch()
        let folder = try scratch.copyFixture()
        let file = try converted(scratch)
        try scratch.edit("checkpoint/model-00003-of-00003.safetensors") { $0[$0.count - 2] ^= 0x10 }
        let run = try QuernProcess.run("report", file, "-o", scratch.path("r.html"), "--against", folder)
        #expect(run.code == 1)
        #expect(try scratch.text("r.html").contains("<strong>Fail</strong>"))
    }
}
