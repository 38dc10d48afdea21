import LineEditing
import Testing

/// Keys to lines, and to what a terminal then shows.
@Suite struct LineEditorTests {
    /// An editor and the terminal that it writes to.
    struct Typist {
        var editor: LineEditor
        var screen: Screen
        var events: [LineEditor.Event] = []

        init(width: Int = 40, height: Int = 10, history: [String] = []) {
            editor = LineEditor(prompt: "> ", width: width, height: height, history: History(history), completions: ["/save", "/stats", "/system", "/help"])
            screen = Screen(width: width, height: height)
            begin()
        }

        mutating func begin() {
            let (output, event) = editor.begin()
            screen.write(output)
            if let event { events.append(event) }
        }

        mutating func type(_ text: String) { type(Array(text.utf8)) }

        mutating func type(_ bytes: [UInt8]) {
            let (output, event) = editor.feed(bytes)
            screen.write(output)
            if let event { events.append(event) }
        }
    }

    private static let left = "\u{1B}[D", right = "\u{1B}[C", up = "\u{1B}[A", down = "\u{1B}[B"

    @Test func typesAndGivesALine() {
        var typist = Typist()
        typist.type("Hello wörld 世界")
        #expect(typist.screen.lines == ["> Hello wörld 世界"])
        #expect(typist.screen.row == 0 && typist.screen.column == 2 + 12 + 4)
        typist.type("\r")
        #expect(typist.events == [.line("Hello wörld 世界")])
        #expect(typist.screen.row == 1 && typist.screen.column == 0)
    }

    @Test(arguments: [
        ("abc" + left + left + "X", "aXbc"), ("abc\u{1}X", "Xabc"), ("abc\u{1}\u{5}X", "abcX"), ("abc\u{1B}[HX\u{1B}[FY", "XabcY"),
        ("abc\u{1B}OHX", "Xabc"), ("abc\u{1B}[1~X\u{1B}[4~Y", "XabcY"), ("one two  three\u{17}X", "one two  X"), ("one two\u{1B}bX", "one Xtwo"),
        ("one two\u{1}\u{1B}fX", "oneX two"), ("one two\u{1B}[1;5DX", "one Xtwo"), ("one two\u{1}\u{1B}[1;5CX", "oneX two"),
        ("one two\u{1}\u{1B}dX", "X two"), ("one two" + left + left + "\u{15}", "wo"), ("one two" + left + left + "\u{B}", "one t"),
        ("abc\u{7F}", "ab"), ("abc" + left + "\u{1B}[3~", "ab"), ("abc" + left + "\u{4}", "ab"), ("e\u{301}x\u{7F}\u{7F}", ""),
        ("世界\u{7F}", "世"), ("👩‍⚕️x" + left + "\u{7F}", "x"), ("a\u{1B}\u{7F}b", "b"), ("äö" + left + "\u{8}", "ö"), ("a\u{1B}[99;99Zb", "ab"),
    ])
    func edits(keys: String, expected: String) {
        var typist = Typist()
        typist.type(keys)
        #expect(typist.editor.buffer.text == expected)
        typist.type("\u{5}\r")
        #expect(typist.events == [.line(expected)])
    }

    /// The same whether bytes come together or one by one, in the middle of characters and sequences.
    @Test func bytesMayComeOneByOne() {
        let keys = "zwölf 世界 👩‍⚕️\u{1B}[D\u{1B}[200~päste\r\n2\u{1B}[31m\u{1B}[201~\u{1}\u{1B}[1;5C!\u{17}"
        var (together, single) = (Typist(), Typist())
        together.type(keys)
        for byte in Array(keys.utf8) { single.type([byte]) }
        #expect(together.editor.buffer == single.editor.buffer)
        #expect(together.screen.lines == single.screen.lines)
        #expect(together.editor.buffer.text.contains("päste\n[31m"))
    }

    /// The screen and the cursor after every key, at every width, as a plain layout of the text gives them.
    @Test(arguments: [2, 3, 5, 7, 20, 39, 80])
    func screenFollowsAtAnyWidth(width: Int) {
        var state: UInt64 = UInt64(width)
        func next(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }
        let keys = ["a", "bc", "世", "e\u{301}", "\\\r", " word", "\u{1B}[D", "\u{1B}[C", "\u{1B}[A", "\u{1B}[B", "\u{7F}", "\u{1}", "\u{5}", "\u{17}", "\u{B}", "\t", "\u{1B}[200~x\ty\u{1B}[201~"]
        var typist = Typist(width: width, height: 400)
        for step in 0..<250 {
            typist.type(keys[next(keys.count)])
            guard typist.events.isEmpty else { return }
            var fresh = Screen(width: width, height: 400)
            var view = LineView(prompt: "> ", width: width, height: 400)
            fresh.write(view.update(typist.editor.buffer))
            #expect(typist.screen.lines == fresh.lines && typist.screen.row == fresh.row && typist.screen.column == fresh.column, "step \(step)")
        }
    }

    @Test func wrapsAndReturns() {
        var typist = Typist(width: 10)
        typist.type("12345678")
        #expect(typist.screen.lines == ["> 12345678"] && typist.screen.row == 1 && typist.screen.column == 0)
        typist.type("9世界世界X")
        #expect(typist.screen.lines == ["> 12345678", "9世界世界X"])
        typist.type("\u{1}")
        #expect(typist.screen.row == 0 && typist.screen.column == 2)
        typist.type("0\r")
        #expect(typist.screen.lines == ["> 01234567", "89世界世界", "X"] && typist.screen.row == 3)
    }

    @Test func longTextScrollsInsideTheScreen() {
        var typist = Typist(width: 10, height: 4)
        typist.type("\u{1B}[200~" + (1...9).map { "line \($0)" }.joined(separator: "\n") + "\u{1B}[201~")
        #expect(typist.screen.lines == ["  line 6", "  line 7", "  line 8", "  line 9"])
        for _ in 0..<8 { typist.type(Self.up) }
        #expect(typist.screen.lines == ["> line 1", "  line 2", "  line 3", "  line 4"] && typist.screen.row == 0)
        typist.type("\r")
        #expect(typist.screen.lines == ["  line 7", "  line 8", "  line 9"] && typist.screen.row == 3)
    }

    @Test func severalLines() {
        var typist = Typist()
        typist.type("first\\\rsecond\\\r")
        #expect(typist.events.isEmpty && typist.screen.lines == ["> first", "  second"])
        typist.type("third" + Self.up + Self.up + "!" + Self.down + "?\r")
        #expect(typist.events == [.line("first!\nsecond?\nthird")])
        #expect(typist.screen.lines == ["> first!", "  second?", "  third"])
    }

    @Test func pastedLinesAreOneText() {
        var typist = Typist()
        typist.type("\u{1B}[200~one\r\ntwo\rthree\u{1B}[2J\u{7}\u{202E}\u{1B}[201~")
        #expect(typist.events.isEmpty && typist.editor.buffer.text == "one\ntwo\nthree[2J")
        // Without the marks of a bracketed paste each line break ends a line; the rest waits.
        var plain = Typist()
        plain.type("one\rtwo\rthr")
        #expect(plain.events == [.line("one")])
        plain.begin()
        #expect(plain.events == [.line("one"), .line("two")])
        plain.begin()
        #expect(plain.editor.buffer.text == "thr" && plain.screen.lines == ["> one", "> two", "> thr"])
    }

    @Test func historyAndDraft() {
        var typist = Typist(history: ["one", "two\nlines"])
        typist.type("draft" + Self.up)
        #expect(typist.screen.lines == ["> two", "  lines"])
        typist.type(Self.up + Self.up)
        #expect(typist.editor.buffer.text == "one")
        typist.type(Self.up + "\u{E}\u{E}\u{E}\u{E}")
        #expect(typist.editor.buffer.text == "draft")
        typist.type("\r")
        typist.begin()
        typist.type(Self.up)
        #expect(typist.editor.buffer.text == "draft")
    }

    @Test func historyFile() {
        let lines = ["one", "two\nlines", "back\\slash \\n", "ünï"]
        #expect(History(file: History(lines).fileText).entries == lines)
        #expect(History(["a", "a", " ", "b"]).entries == ["a", "b"])
        #expect(History(["a", "b", "c"], limit: 2).entries == ["b", "c"])
        #expect(History(file: "a\u{1B}[2Jb\nc\\").entries == ["a\\u{1b}[2Jb".replacing("\\u", with: "u"), "c"])
    }

    @Test func interruptAndEnd() {
        var typist = Typist()
        typist.type("abc\u{3}")
        typist.begin()
        typist.type("\u{3}")
        typist.begin()
        typist.type("\u{4}")
        #expect(typist.events == [.interrupt(wasEmpty: false), .interrupt(wasEmpty: true), .endOfInput])
        #expect(typist.screen.lines == ["> abc", ">", ">"])
    }

    @Test func suspendAndResume() {
        var typist = Typist()
        typist.type("abc" + Self.left + "\u{1A}")
        #expect(typist.events == [.suspend])
        typist.screen.write(typist.editor.resume())
        #expect(typist.screen.lines == ["> abc", "> abc"] && typist.screen.row == 1 && typist.screen.column == 4)
    }

    @Test func redrawClearsTheScreen() {
        var typist = Typist()
        typist.type("abc\r")
        typist.begin()
        typist.type("d\u{C}e")
        #expect(typist.screen.lines == ["> de"])
    }

    /// A terminal that wraps what is on it anew when it gets another width.
    @Test func resizeFindsTheFirstRow() {
        var editor = LineEditor(prompt: "> ", width: 40, height: 10)
        _ = editor.begin()
        _ = editor.feed(Array(String(repeating: "a", count: 30).utf8))
        var narrow = Screen(width: 10, height: 10)
        narrow.write("before\r\n> " + String(repeating: "a", count: 30))
        narrow.write(editor.resize(width: 10, height: 10))
        #expect(narrow.lines == ["before", "> aaaaaaaa", "aaaaaaaaaa", "aaaaaaaaaa", "aa"] && narrow.row == 4 && narrow.column == 2)
        _ = editor.feed([1])
        narrow.write("\u{1B}[3A")
        #expect(editor.resize(width: 40, height: 10).hasSuffix("\r\u{1B}[2C"))
    }

    @Test func completesCommands() {
        var typist = Typist()
        typist.type("/sy\t")
        #expect(typist.editor.buffer.text == "/system ")
        typist.type("\u{15}/s\t")
        #expect(typist.editor.buffer.text == "/s")
        typist.type("t\tx")
        #expect(typist.editor.buffer.text == "/stats x")
    }

    @Test func escapeAloneEndsAfterAPause() {
        var typist = Typist()
        typist.type("a\u{1B}")
        #expect(typist.editor.isInsideKey)
        typist.editor.pause()
        typist.type("[Db")
        #expect(typist.editor.buffer.text == "a[Db")
    }

    @Test func malformedBytes() {
        var typist = Typist()
        typist.type([0x61, 0xFF, 0xC3, 0x62, 0xE4, 0xB8, 0x96, 0xC2, 0x9B, 0x00, 0x1C])
        #expect(typist.editor.buffer.text == "a\u{FFFD}\u{FFFD}b世")
    }
}

@Suite struct VisibleTextTests {
    @Test func widths() {
        let expected: [(Character, Int)] = [
            ("a", 1), ("é", 1), ("e\u{301}", 1), ("世", 2), ("ｱ", 1), ("Ａ", 2), ("가", 2), ("\u{1112}\u{1161}\u{11AB}", 2), ("😀", 2), ("👩‍⚕️", 2), ("❤️", 2), ("🇩🇪", 2),
            ("\u{200B}", 0), ("½", 1), ("√", 1), ("「", 2), ("🏽", 2), ("👍🏽", 2), ("1️⃣", 1), ("नि", 2),
        ]
        for (character, width) in expected { #expect(DisplayWidth.of(character) == width, "\(character)") }
    }

    @Test func harmfulCharactersAreShown() {
        #expect(VisibleText.escaped("a\tb\nc") == "a\tb\nc")
        #expect(VisibleText.escaped("\u{1B}[2J\u{7}\r\u{9B}x\u{7F}\u{202E}") == "\\u{1b}[2J\\u{7}\\u{d}\\u{9b}x\\u{7f}\\u{202e}")
        #expect(VisibleText.escaped("a\r\nb") == "a\\u{d}\nb")
    }
}
