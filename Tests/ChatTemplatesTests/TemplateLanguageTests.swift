import ChatTemplates
import Foundation
import StrictJSON
import Testing

/// Templates with what Jinja2 itself made of them, in the environment that transformers gives to chat templates.
struct TemplateCases {
    struct Case {
        var template: [UInt8]
        /// Nil where Jinja2 refuses the template.
        var output: String?
    }

    let cases: [Case]
    let variables: JSONObject

    init() throws {
        let path = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().appending(path: "Fixtures/chat-templates.json")
        let document = try JSONReader.read([UInt8](Data(contentsOf: path)))
        variables = try #require(document["variables"]?.object)
        cases = try #require(document["cases"]?.array).map { Case(template: try #require($0["template"]?.jsonString).bytes, output: $0["output"]?.string) }
    }

    /// The value with another text for each of its texts.
    static func changed(_ json: JSONValue, _ change: (JSONString) -> JSONString) -> JSONValue {
        switch json {
        case .string(let text): return .string(change(text))
        case .array(let elements): return .array(elements.map { changed($0, change) })
        case .object(let members): return .object(changed(members, change))
        default: return json
        }
    }

    static func changed(_ members: JSONObject, _ change: (JSONString) -> JSONString) -> JSONObject {
        members.members.reduce(into: JSONObject()) { _ = $0.append($1.key, changed($1.value, change)) }
    }

    static let date = CalendarDate(year: 2026, month: 11, day: 5, hour: 14, minute: 7, second: 9)

    func render(_ template: [UInt8], _ change: (JSONString) -> JSONString = { $0 }) throws(ChatTemplateError) -> [RenderedPiece] {
        try ChatTemplate(source: template, file: "t").render(variables: Self.changed(variables, change), date: Self.date, limits: Self.limits)
    }

    static let limits: TemplateLimits = {
        var limits = TemplateLimits()
        limits.steps = 200_000
        limits.bytes = 16 << 20
        limits.output = 4 << 20
        return limits
    }()
}

@Suite struct TemplateLanguageTests {
    let golden: TemplateCases

    init() throws { golden = try TemplateCases() }

    @Test func everyTemplateGivesWhatJinjaGives() throws {
        #expect(golden.cases.count > 80)
        for item in golden.cases {
            let name = String(decoding: item.template, as: UTF8.self)
            do throws(ChatTemplateError) {
                #expect(try golden.render(item.template).map(\.text).joined() == item.output, "\(name)")
            } catch {
                #expect(item.output == nil, "\(name): \(error)")
            }
        }
    }

    /// Where every text from outside holds one character that no template has, that character is never in a trusted piece.
    @Test func textFromOutsideIsNeverTrusted() throws {
        let mark = "\u{2603}"
        for item in golden.cases {
            guard let text = try? golden.render(item.template, { JSONString($0.string == "user" ? $0.string : mark + $0.string + mark) }) else { continue }
            for piece in text where piece.isTrusted { #expect(!piece.text.contains(mark), "\(String(decoding: item.template, as: UTF8.self))") }
        }
    }

    /// Broken templates end with an error or a text, never with a trap, and within their limits.
    @Test func changedTemplatesAreSafe() throws {
        var state: UInt64 = 42
        func next(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }
        let words = ["{{", "}}", "{%", "%}", "{#", "'", "(", ")", "[", "]", "|", ".", "-", "*", "9223372036854775807", "range(", "loop", "for", "if", "é", "\\"]
        var failures = 0
        for item in golden.cases {
            for _ in 0..<12 {
                var bytes = item.template
                for _ in 0...next(3) {
                    let start = next(bytes.count + 1)
                    let end = min(bytes.count, start + next(6))
                    bytes.replaceSubrange(start..<end, with: next(2) == 0 ? Array(words[next(words.count)].utf8) : [])
                }
                do throws(ChatTemplateError) { _ = try golden.render(bytes) } catch {
                    failures += 1
                    #expect("\(error)".hasPrefix("t: "))
                }
            }
        }
        #expect(failures > 100)
    }

    private func failure(_ template: String) -> String {
        do throws(ChatTemplateError) {
            let text = try golden.render(Array(template.utf8)).map(\.text).joined()
            return "no error: \(text.utf8.count) bytes"
        } catch { return error.description }
    }

    @Test(arguments: [
        ("{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}", "more than 200000 steps"),
        ("{% for i in range(99999) %}{{ 'x' * 10000 }}{% endfor %}", "more than"),
        ("{{ 'a' * 1000000000 }}", "MiB of text"), ("{{ range(1000000000000) }}", "more than 100000 elements"),
        ("{{ 2 ** 64 }}", "does not fit into 64 bits"), ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "200 deep"),
        ("{% set n = namespace(l=[]) %}{% for i in range(9999) %}{% set n.l = [n.l] %}{% endfor %}", "deeper than 60"),
        ("{% set n = namespace(l='a') %}{% for i in range(99) %}{% set n.l = n.l + n.l %}{% endfor %}", "MiB of text"),
        ("{{ ('a' * 100000)|replace('', 'b' * 100000) }}", "MiB of text"), ("{{ 1 | nothing }}", "the filter 'nothing' is not supported"),
        ("{% include 'x' %}", "the statement 'include' is not supported"), ("{{ messages.append(1) }}", "closed to templates"),
        ("a\nb\n{{ messages[0].role + 1 }}", "line 3: '+' has no meaning between a string and a number"),
        ("\n{% if true %}", "line 2: the template ends within a block, expected '{% elif %}' or '{% else %}' or '{% endif %}'"),
        ("{{ raise_exception('no system') }}", "the template refuses the conversation: 'no system'"), ("{{ x.y }}", "'x' is not defined"),
    ])
    func hostileTemplatesAreRefused(template: String, problem: String) {
        #expect(failure(template).contains(problem), "\(failure(template))")
    }

    @Test func deepBracketsAndLongChains() {
        #expect(failure("{{ " + String(repeating: "(", count: 5000) + "1").contains("deeper than 60"))
        #expect(failure("{{ " + String(repeating: "not ", count: 5000) + "1 }}").contains("deeper than 60"))
        #expect(failure("{{ 1" + String(repeating: "+1", count: 5000) + " }}") == "no error: 4 bytes")
    }

    @Test func theDateIsGiven() throws {
        #expect(try golden.render(Array("{{ strftime_now('%d %b %Y') }}".utf8)).map(\.text).joined() == "05 Nov 2026")
    }
}
