/// Turns what is typed at a terminal in raw mode into lines and into the output that shows them. Does no input or output itself.
package struct LineEditor: Sendable {
    package enum Event: Equatable, Sendable {
        /// A whole text was given; it may have several lines.
        case line(String)
        /// Control-C: what was written is dropped. `wasEmpty` when there was nothing.
        case interrupt(wasEmpty: Bool)
        /// Control-D at an empty prompt.
        case endOfInput
        /// Control-Z
        case suspend
    }

    package var history: History
    package private(set) var buffer = EditBuffer()
    private var view: LineView
    private var decoder = KeyDecoder()
    /// Typed while no line was being read.
    private var waiting: [Key] = []
    /// Words that the tab key completes at the start of a line.
    private let completions: [String]

    package init(prompt: String, width: Int, height: Int, history: History = History(), completions: [String] = []) {
        self.history = history
        self.completions = completions
        view = LineView(prompt: prompt, width: width, height: height)
    }

    /// Whether an unfinished key sequence waits for more: `pause` ends it.
    package var isInsideKey: Bool { decoder.isInside }
    package mutating func pause() { decoder.pause() }

    /// Begins a line. What was typed before counts.
    package mutating func begin() -> (output: String, event: Event?) {
        buffer = EditBuffer()
        view.forget()
        let (output, event) = handleWaiting()
        return (event == nil && output.isEmpty ? view.update(buffer) : output, event)
    }

    /// Bytes that came from the terminal. After an event no line is being read until `begin`, or `resume` after `.suspend`.
    package mutating func feed(_ bytes: some Sequence<UInt8>) -> (output: String, event: Event?) {
        waiting += decoder.decode(bytes)
        return handleWaiting()
    }

    package mutating func resize(width: Int, height: Int) -> String { view.resize(width: width, height: height, buffer) }

    /// Shows the line again after something else was on the screen.
    package mutating func resume() -> String {
        view.forget()
        return view.update(buffer)
    }

    private mutating func handleWaiting() -> (output: String, event: Event?) {
        var output = ""
        var changed = false
        while !waiting.isEmpty {
            let key = waiting.removeFirst()
            if key == .redraw {
                output += "\u{1B}[H\u{1B}[2J"
                view.forget()
                changed = true
                continue
            }
            if let event = handle(key) {
                output += event == .suspend ? view.finish(buffer) : finishing(event)
                return (output, event)
            }
            changed = true
        }
        if changed { output += view.update(buffer) }
        return (output, nil)
    }

    private mutating func finishing(_ event: Event) -> String {
        let output = view.finish(buffer)
        if case .line(let line) = event { history.add(line) }
        buffer = EditBuffer()
        return output
    }

    private mutating func handle(_ key: Key) -> Event? {
        switch key {
        case .text(let text), .paste(let text): buffer.insert(text)
        case .enter:
            guard buffer.cursor == buffer.characters.count, buffer.characters.last == "\\" else { return .line(buffer.text) }
            buffer.deleteLeft()
            buffer.insert("\n")
        case .tab: complete()
        case .backspace: buffer.deleteLeft()
        case .delete: buffer.deleteRight()
        case .left: buffer.moveLeft()
        case .right: buffer.moveRight()
        case .home: buffer.moveHome()
        case .end: buffer.moveEnd()
        case .wordLeft: buffer.moveWordLeft()
        case .wordRight: buffer.moveWordRight()
        case .deleteWordLeft: buffer.deleteWordLeft()
        case .deleteWordRight: buffer.deleteWordRight()
        case .deleteToStart: buffer.deleteToStart()
        case .deleteToEnd: buffer.deleteToEnd()
        case .up: if !buffer.moveUp(), let line = history.back(from: buffer.text) { buffer.replaceAll(with: line) }
        case .down: if !buffer.moveDown(), let line = history.forward() { buffer.replaceAll(with: line) }
        case .interrupt: return .interrupt(wasEmpty: buffer.isEmpty)
        case .endOfInput:
            if buffer.isEmpty { return .endOfInput }
            buffer.deleteRight()
        case .suspend: return .suspend
        case .redraw, .unknown: break
        }
        return nil
    }

    private mutating func complete() {
        let start = buffer.text
        let fitting = completions.filter { $0.hasPrefix(start) }
        guard !start.isEmpty, buffer.cursor == buffer.characters.count, let first = fitting.first else { return }
        let common = fitting.dropFirst().reduce(first) { common, word in String(zip(common, word).prefix { $0 == $1 }.map(\.0)) }
        buffer.replaceAll(with: fitting.count == 1 ? first + " " : common)
    }
}
