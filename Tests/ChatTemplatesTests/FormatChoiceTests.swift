import ChatTemplates
import Testing

@Suite struct FormatChoiceTests {
    private func configuration(_ template: String) -> [UInt8] { Array(#"{"bos_token": "<s>", "eos_token": {"content": "</s>"}, "chat_template": \#(template)}"#.utf8) }

    private func text(_ evidence: ChatFormatEvidence, asked: String? = nil) throws -> String {
        let chosen = try ChatFormat.choose(evidence, asked: asked, date: CalendarDate(year: 2024, month: 7, day: 26))
        return try chosen.format.render([ChatMessage(role: .user, content: "hi")]).map(\.text).joined()
    }

    private func failure(_ evidence: ChatFormatEvidence, asked: String? = nil) -> String {
        do {
            _ = try ChatFormat.choose(evidence, asked: asked)
            return "no error"
        } catch { return error.description }
    }

    @Test func templatesComeFromThreePlaces() throws {
        let string = ChatFormatEvidence(tokenizerConfiguration: configuration(#""{{ bos_token }}{{ messages[0].content }}{{ eos_token }}""#))
        #expect(try text(string) == "<s>hi</s>")
        let list = ChatFormatEvidence(tokenizerConfiguration: configuration(#"[{"name": "tool_use", "template": "T"}, {"name": "default", "template": "D"}]"#))
        #expect(try text(list) == "D")
        var file = string
        file.templateFile = Array("F".utf8)
        #expect(try text(file) == "F")
        #expect(try text(file, asked: "plain") == "hi\n")
        #expect(failure(ChatFormatEvidence(tokenizerConfiguration: configuration("[]"))).contains("a list with a template named 'default', found an array"))
        #expect(failure(ChatFormatEvidence(tokenizerConfiguration: configuration(#""{{ ""#))).hasPrefix("chat_template in tokenizer_config.json: line 1: "))
    }

    @Test func knownNamesWithoutTemplate() throws {
        let byFolder = try ChatFormat.choose(ChatFormatEvidence(name: "med42-70b-q4.quern"))
        #expect(byFolder.format.name == "med42" && byFolder.isByName)
        let path = ChatFormatEvidence(configuration: Array(#"{"_name_or_path": "m42-health/med42-70b"}"#.utf8), name: "x.quern")
        #expect(try ChatFormat.choose(path).reason == "by the name 'med42-70b', because the checkpoint has no chat template")
        #expect(try ChatFormat.choose(ChatFormatEvidence(recordedFormat: "med42", name: "x.quern")).isByName)
        let asked = try ChatFormat.choose(ChatFormatEvidence(templateFile: Array("T".utf8), recordedFormat: "plain", isRecordedAsAsked: true))
        #expect(asked.format.name == "plain" && asked.reason == "asked for at conversion" && !asked.isByName)
        #expect(failure(ChatFormatEvidence(name: "ClinicalCamel-70B-q4.quern"))
            == "chat format: the checkpoint has no chat template and is a ClinicalCamel; no format is published for it; vicuna and llama-2-chat have both "
            + "been used, and answers should be compared; choose one with --chat-format: llama-2-chat, llama-3, med42, vicuna, plain")
        #expect(failure(ChatFormatEvidence(name: "Llama3-Med42-8B.quern")).contains("second version"))
        #expect(failure(ChatFormatEvidence(name: "a.quern")).contains("its name is not a known one"))
        #expect(failure(ChatFormatEvidence(), asked: "chatml").contains("there is none of the name 'chatml'; choose one of"))
    }

    /// The templates of Llama-2-chat and Llama-3 give what the built-in formats give.
    @Test func builtInFormatsEqualTheTemplates() throws {
        let cases = [
            ("llama-3", #"{% set loop_messages = messages %}{% for message in loop_messages %}{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'+ message['content'] | trim + '<|eot_id|>' %}{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"#),
            ("llama-2-chat", #"{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}{% set system_message = messages[0]['content'] %}{% else %}{% set loop_messages = messages %}{% set system_message = false %}{% endif %}{% for message in loop_messages %}{% if loop.index0 == 0 and system_message != false %}{% set content = '<<SYS>>\n' + system_message + '\n<</SYS>>\n\n' + message['content'] %}{% else %}{% set content = message['content'] %}{% endif %}{% if message['role'] == 'user' %}{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}{% elif message['role'] == 'assistant' %}{{ ' ' + content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}"#),
        ]
        let tokens = #""bos_token": "<s>", "eos_token": "</s>""#
        for (name, template) in cases {
            var evidence = ChatFormatEvidence(tokenizerConfiguration: Array("{\(tokens)}".utf8))
            let builtIn = try ChatFormat.choose(evidence, asked: name).format
            evidence.templateFile = Array(template.utf8)
            let own = try ChatFormat.choose(evidence).format
            var messages = [ChatMessage(role: .system, content: " S\n"), ChatMessage(role: .user, content: "\t<|eot_id|>U ")]
            for turn in 0..<3 {
                #expect(try own.render(messages) == builtIn.render(messages), "\(name)")
                #expect(try own.render(Array(messages.dropFirst())) == builtIn.render(Array(messages.dropFirst())), "\(name)")
                messages += [ChatMessage(role: .assistant, content: " A\(turn)</s> "), ChatMessage(role: .user, content: "é\n\(turn)")]
            }
        }
    }
}
