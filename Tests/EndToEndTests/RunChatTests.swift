import Foundation
import Testing

/// A single turn in a model's chat format, as a user asks for it.
@Suite struct RunChatTests {
    /// The fixture under another name, converted.
    private func converted(_ scratch: Scratch, as name: String) throws -> (file: String, notes: String) {
        let folder = try scratch.copyFixture(), named = scratch.path(name)
        try FileManager.default.moveItem(atPath: folder, toPath: named)
        let file = scratch.path("m.quern"), run = try QuernProcess.run("convert", named, "-o", file)
        #expect(run.code == 0, "\(run.errors)")
        return (file, run.errors)
    }

    private func turn(_ file: String, _ arguments: String...) throws -> QuernProcess {
        try QuernProcess.run(["run", file, "-n", "4", "-v"] + arguments, input: [])
    }

    @Test func med42IsChosenByItsName() throws {
        let scratch = try Scratch()
        let (file, notes) = try converted(scratch, as: "med42-70b")
        #expect(notes.contains("chat format med42: by the name 'med42-70b'"), "\(notes)")
        #expect(try QuernProcess.run("inspect", file).output.contains("chat format  med42: recorded at conversion"))
        let question = "What are the symptoms of diabetes ?"
        let run = try turn(file, "--chat", "-p", question)
        #expect(run.code == 0 && run.errors.contains("chat format med42"), "\(run.errors)")
        // The prompt is the format's text around the question: as many tokens as the same text has.
        let text = "\n<|system|>: You are a helpful medical assistant created by M42 Health in the UAE.\n<|prompter|>:\(question)\n<|assistant|>:\n"
        let ids = try QuernProcess.run(["tokenize", file], input: Array(text.utf8)).output.split(whereSeparator: \.isWhitespace)
        #expect(run.errors.contains("\(ids.count) prompt tokens"), "\(ids.count): \(run.errors)")
        let other = try turn(file, "--chat", "--chat-format", "plain", "-p", question)
        #expect(other.code == 0 && !other.errors.contains("\(ids.count) prompt tokens"), "\(other.errors)")
    }

    @Test func withoutFormatTheChoicesAreListed() throws {
        let scratch = try Scratch()
        let (file, _) = try converted(scratch, as: "some-model")
        let run = try turn(file, "--chat", "-p", "Hello")
        #expect(run.code == 1 && run.errors.contains("choose one with --chat-format: llama-2-chat, llama-3, med42, vicuna, plain"), "\(run.errors)")
        #expect(try turn(file, "--chat", "--chat-format", "nope", "-p", "Hello").code == 1)
        #expect(try turn(file, "--system", "Be short.", "-p", "Hello").code == 64)
    }

    /// The text of a control token in a question is text.
    @Test func questionsHoldNoControlTokens() throws {
        let scratch = try Scratch()
        let (file, _) = try converted(scratch, as: "some-model")
        func tokens(_ question: String) throws -> Int {
            let run = try turn(file, "--chat", "--chat-format", "llama-2-chat", "-p", question)
            #expect(run.code == 0, "\(run.errors)")
            let words = run.errors.split(whereSeparator: { $0 == " " || $0 == "\n" }), place = try #require(words.lastIndex(of: "prompt"))
            return try #require(Int(words[place - 1]))
        }
        #expect(try tokens("a </s> b") > tokens("a b") + 1)
    }

    @Test func aCheckpointsOwnTemplateComesFirst() throws {
        let scratch = try Scratch()
        let folder = try scratch.copyFixture()
        try "{% for m in messages %}\n[{{ m.role }}] {{ m.content | trim }}\n{% endfor %}\n{{ raise_exception('no') if messages | length > 1 }}"
            .write(toFile: folder + "/chat_template.jinja", atomically: true, encoding: .utf8)
        let file = scratch.path("m.quern")
        #expect(try QuernProcess.run("convert", folder, "-o", file).code == 0)
        #expect(try turn(file, "--chat", "-p", "Hello").code == 0)
        let refused = try turn(file, "--chat", "--system", "Be short.", "-p", "Hello")
        #expect(refused.code == 1 && refused.errors.contains("chat_template.jinja: ") && refused.errors.contains("'no'"), "\(refused.errors)")
    }

    /// `convert --chat-format` is kept by the file: before the checkpoint's own template, behind the option of `run`.
    @Test func aFormatIsKeptFromTheConversion() throws {
        let scratch = try Scratch()
        let folder = try scratch.copyFixture()
        let own = scratch.path("own.quern"), asked = scratch.path("asked.quern"), question = "What is a file ?"
        let unknown = try QuernProcess.run("convert", folder, "-o", own, "--chat-format", "chatml")
        #expect(
            unknown.code == 1
                && unknown.errors.contains("there is none of the name 'chatml'; choose one of llama-2-chat, llama-3, med42, vicuna, plain, or 'template'"),
            "\(unknown.errors)")
        let none = try QuernProcess.run("convert", folder, "-o", own, "--chat-format", "template")
        #expect(none.code == 1 && none.errors.contains("the checkpoint has no chat template"), "\(none.errors)")
        #expect(try !scratch.names().contains("own.quern"))

        try "{% for m in messages %}[{{ m.role }}] {{ m.content }}{% endfor %}".write(toFile: folder + "/chat_template.jinja", atomically: true, encoding: .utf8)
        for (file, format) in [(own, "template"), (asked, "vicuna")] {
            let run = try QuernProcess.run("convert", folder, "-o", file, "--chat-format", format)
            #expect(run.code == 0, "\(run.errors)")
        }
        #expect(try QuernProcess.run("inspect", asked).output.contains("chat format  vicuna: asked for at conversion\n"))
        #expect(try QuernProcess.run("inspect", own).output.contains("chat format  template: the checkpoint's own, chat_template.jinja\n"))

        let kept = try turn(asked, "--chat", "-p", question), same = try turn(own, "--chat", "--chat-format", "vicuna", "-p", question)
        #expect(kept.code == 0 && kept.errors.contains("chat format vicuna: asked for at conversion"), "\(kept.errors)")
        let ownTurn = try turn(own, "--chat", "-p", question)
        #expect(kept.output == same.output && kept.output != ownTurn.output)
        let other = try turn(asked, "--chat", "--chat-format", "plain", "-p", question)
        #expect(other.code == 0 && other.errors.contains("chat format plain: asked for\n"), "\(other.errors)")
        let chat = try QuernProcess.run(["chat", asked, "-n", "4", "-v"], input: Array(question.utf8))
        #expect(chat.code == 0 && chat.errors.contains("chat format vicuna: asked for at conversion"), "\(chat.errors)")
    }
}
