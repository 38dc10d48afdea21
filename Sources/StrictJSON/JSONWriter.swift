/// Writes JSON: members in their order, the shortest digits that read back as the same double, non-finite as null.
package struct JSONWriter {
    package private(set) var bytes: [UInt8] = []
    private let pretty: Bool
    private var indentation = 0

    package init(pretty: Bool = false) { self.pretty = pretty }

    package mutating func write(_ value: JSONValue) {
        switch value {
        case .null: add("null")
        case .bool(let value): add(value ? "true" : "false")
        case .integer(let value): add(String(value))
        case .unsigned(let value): add(String(value))
        case .number(let number): write(number)
        case .string(let text): write(text)
        case .array(let values):
            writeList("[", "]", count: values.count) { writer, position in writer.write(values[position]) }
        case .object(let object):
            writeList("{", "}", count: object.count) { writer, position in
                writer.write(object.members[position].key)
                writer.add(writer.pretty ? ": " : ":")
                writer.write(object.members[position].value)
            }
        }
    }

    private mutating func writeList(_ open: String, _ close: String, count: Int, _ item: (inout JSONWriter, Int) -> Void) {
        add(open)
        indentation += 1
        for position in 0..<count {
            if position > 0 { add(",") }
            newLine()
            item(&self, position)
        }
        indentation -= 1
        if count > 0 { newLine() }
        add(close)
    }

    private mutating func newLine() {
        guard pretty else { return }
        add("\n")
        bytes.append(contentsOf: repeatElement(UInt8(ascii: " "), count: 2 * indentation))
    }

    private mutating func write(_ number: JSONNumber) {
        if !number.text.isEmpty {
            bytes.append(contentsOf: number.text)
        } else {
            add(number.value.isFinite ? number.value.description : "null")
        }
    }

    private mutating func write(_ text: JSONString) {
        add("\"")
        for byte in text.bytes {
            switch byte {
            case UInt8(ascii: "\""): add("\\\"")
            case UInt8(ascii: "\\"): add("\\\\")
            case 0x08: add("\\b")
            case 0x09: add("\\t")
            case 0x0A: add("\\n")
            case 0x0C: add("\\f")
            case 0x0D: add("\\r")
            case 0..<0x20, 0x7F:
                add("\\u00")
                add(byte < 0x10 ? "0" : "")
                add(String(byte, radix: 16))
            default: bytes.append(byte)
            }
        }
        add("\"")
    }

    private mutating func add(_ text: String) { bytes.append(contentsOf: text.utf8) }
}

extension JSONValue {
    package func serialized(pretty: Bool = false) -> [UInt8] {
        var writer = JSONWriter(pretty: pretty)
        writer.write(self)
        return writer.bytes
    }

    package func text(pretty: Bool = false) -> String { String(decoding: serialized(pretty: pretty), as: UTF8.self) }
}
