/// What a person does at a keyboard.
package enum Key: Equatable, Sendable {
    case text(String)
    /// Pasted, with line breaks as "\n" and without other control characters.
    case paste(String)
    case enter, tab, backspace, delete
    case left, right, up, down, home, end
    case wordLeft, wordRight, deleteWordLeft, deleteWordRight, deleteToStart, deleteToEnd
    case interrupt, endOfInput, suspend, redraw
    case unknown
}

/// Bytes from a terminal in raw mode to keys, however they are cut. Sequences: ECMA-48 and xterm's control sequences.
package struct KeyDecoder: Sendable {
    private enum State { case ground, escape, control, function, paste }
    private var state = State.ground
    /// Of an unfinished character, sequence or paste.
    private var held: [UInt8] = []
    private static let pasteEnd = Array("\u{1B}[201~".utf8)
    /// A sequence that is longer is no key.
    private static let longestSequence = 64

    package init() {}

    /// Whether what came so far may go on; an escape key alone looks so.
    package var isInside: Bool { state != .ground || !held.isEmpty }

    package mutating func decode(_ bytes: some Sequence<UInt8>) -> [Key] {
        var keys: [Key] = []
        for byte in bytes { take(byte, &keys) }
        return keys
    }

    /// Nothing followed for a while: an escape key, or a broken sequence, ends here. A paste goes on.
    package mutating func pause() {
        if state == .paste { return }
        state = .ground
        held.removeAll()
    }

    private mutating func take(_ byte: UInt8, _ keys: inout [Key]) {
        switch state {
        case .ground: ground(byte, &keys)
        case .escape:
            state = .ground
            switch byte {
            case UInt8(ascii: "["): state = .control
            case UInt8(ascii: "O"): state = .function
            case UInt8(ascii: "b"), UInt8(ascii: "B"): keys.append(.wordLeft)
            case UInt8(ascii: "f"), UInt8(ascii: "F"): keys.append(.wordRight)
            case UInt8(ascii: "d"), UInt8(ascii: "D"): keys.append(.deleteWordRight)
            case 0x7F, 0x08: keys.append(.deleteWordLeft)
            case 0x1B: state = .escape
            default: keys.append(.unknown)
            }
        case .function:
            state = .ground
            keys.append(Self.final(byte, parameters: []))
        case .control:
            if (0x20...0x3F).contains(byte), held.count < Self.longestSequence { return held.append(byte) }
            let parameters = String(decoding: held, as: UTF8.self).split(separator: ";", omittingEmptySubsequences: false).map { Int($0) ?? 0 }
            held.removeAll()
            state = .ground
            if byte == UInt8(ascii: "~"), parameters.first == 200 {
                state = .paste
            } else if byte == UInt8(ascii: "~") {
                keys.append(Self.tilde(parameters))
            } else if (0x40...0x7E).contains(byte) {
                keys.append(Self.final(byte, parameters: parameters))
            } else {
                keys.append(.unknown)
            }
        case .paste:
            held.append(byte)
            guard byte == UInt8(ascii: "~"), held.suffix(Self.pasteEnd.count).elementsEqual(Self.pasteEnd) else { return }
            keys.append(.paste(Self.pasted(held.dropLast(Self.pasteEnd.count))))
            held.removeAll()
            state = .ground
        }
    }

    private mutating func ground(_ byte: UInt8, _ keys: inout [Key]) {
        if byte >= 0x80 || !held.isEmpty { return character(byte, &keys) }
        switch byte {
        case 0x1B: state = .escape
        case 0x01: keys.append(.home)
        case 0x02: keys.append(.left)
        case 0x03: keys.append(.interrupt)
        case 0x04: keys.append(.endOfInput)
        case 0x05: keys.append(.end)
        case 0x06: keys.append(.right)
        case 0x08, 0x7F: keys.append(.backspace)
        case 0x09: keys.append(.tab)
        case 0x0A, 0x0D: keys.append(.enter)
        case 0x0B: keys.append(.deleteToEnd)
        case 0x0C: keys.append(.redraw)
        case 0x0E: keys.append(.down)
        case 0x10: keys.append(.up)
        case 0x15: keys.append(.deleteToStart)
        case 0x17: keys.append(.deleteWordLeft)
        case 0x1A: keys.append(.suspend)
        case 0x20...0x7E: Self.append(String(UnicodeScalar(byte)), to: &keys)
        default: keys.append(.unknown)
        }
    }

    /// A part of a character of several bytes. What is no UTF-8 becomes U+FFFD.
    private mutating func character(_ byte: UInt8, _ keys: inout [Key]) {
        guard let lead = held.first else {
            if (0xC2...0xF4).contains(byte) { held = [byte] } else { Self.append("\u{FFFD}", to: &keys) }
            return
        }
        guard (0x80...0xBF).contains(byte) else {
            held.removeAll()
            Self.append("\u{FFFD}", to: &keys)
            return ground(byte, &keys)
        }
        held.append(byte)
        guard held.count == (lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4) else { return }
        let text = String(decoding: held, as: UTF8.self)
        held.removeAll()
        // C1 controls and what turns text around are not typed.
        if text.unicodeScalars.contains(where: VisibleText.isHarmful) { return keys.append(.unknown) }
        Self.append(text, to: &keys)
    }

    /// Joins text typed, or pasted into a terminal without bracketed paste, to one key.
    private static func append(_ text: String, to keys: inout [Key]) {
        if case .text(let before) = keys.last {
            keys[keys.count - 1] = .text(before + text)
        } else {
            keys.append(.text(text))
        }
    }

    private static func final(_ byte: UInt8, parameters: [Int]) -> Key {
        // The second parameter is 1 and the sum of Shift 1, Alt 2, Control 4.
        let jumps = parameters.count > 1 && (parameters[1] - 1) & 6 != 0
        switch byte {
        case UInt8(ascii: "A"): return .up
        case UInt8(ascii: "B"): return .down
        case UInt8(ascii: "C"): return jumps ? .wordRight : .right
        case UInt8(ascii: "D"): return jumps ? .wordLeft : .left
        case UInt8(ascii: "H"): return .home
        case UInt8(ascii: "F"): return .end
        case UInt8(ascii: "M"): return .enter
        default: return .unknown
        }
    }

    private static func tilde(_ parameters: [Int]) -> Key {
        let jumps = parameters.count > 1 && (parameters[1] - 1) & 6 != 0
        switch parameters.first {
        case 1, 7: return .home
        case 4, 8: return .end
        case 3: return jumps ? .deleteWordRight : .delete
        default: return .unknown
        }
    }

    private static func pasted(_ bytes: some Collection<UInt8>) -> String {
        var text = String.UnicodeScalarView()
        var previous: Unicode.Scalar = " "
        for scalar in String(decoding: bytes, as: UTF8.self).unicodeScalars {
            defer { previous = scalar }
            if scalar == "\r" {
                text.append("\n")
            } else if scalar == "\n" {
                if previous != "\r" { text.append("\n") }
            } else if !VisibleText.isHarmful(scalar) {
                text.append(scalar)
            }
        }
        return String(text)
    }
}
