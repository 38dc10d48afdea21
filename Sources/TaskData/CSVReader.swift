/// Reads comma-separated values strictly (RFC 4180): fields may be quoted, and then hold commas, line breaks and doubled quotes.
///
/// *Complexity*: linear in the text.
struct CSVReader {
    struct Row {
        /// Of its first character, counted from 1.
        let line: Int
        let fields: [[UInt8]]
    }

    /// What is wrong, and in which line.
    struct Fault: Error {
        let line: Int
        let message: String
    }

    private let bytes: ArraySlice<UInt8>
    private var position: Int
    private var line = 1

    init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        position = bytes.startIndex
    }

    private static let comma = UInt8(ascii: ","), quote = UInt8(ascii: "\""), feed = UInt8(ascii: "\n"), carriage = UInt8(ascii: "\r")

    /// The next row that is not an empty line; nil at the end.
    mutating func next() throws(Fault) -> Row? {
        while position < bytes.endIndex, try takeLineEnd() {}
        guard position < bytes.endIndex else { return nil }
        let first = line
        var fields: [[UInt8]] = []
        while true {
            fields.append(try field(startedAt: first))
            if position == bytes.endIndex { break }
            if try takeLineEnd() { break }
            // A field ends at nothing else.
            position += 1
        }
        return Row(line: first, fields: fields)
    }

    private mutating func takeLineEnd() throws(Fault) -> Bool {
        if bytes[position] == Self.carriage {
            guard position + 1 < bytes.endIndex, bytes[position + 1] == Self.feed else {
                throw Fault(line: line, message: "a carriage return without a line feed; save the file with LF or CRLF line ends, or put the field in quotes")
            }
            position += 1
        }
        guard bytes[position] == Self.feed else { return false }
        position += 1
        line += 1
        return true
    }

    private mutating func field(startedAt first: Int) throws(Fault) -> [UInt8] {
        guard position < bytes.endIndex, bytes[position] == Self.quote else { return try plainField(startedAt: first) }
        let opening = line
        var text: [UInt8] = []
        position += 1
        var start = position
        while position < bytes.endIndex {
            let byte = bytes[position]
            if byte == Self.feed { line += 1 }
            position += 1
            guard byte == Self.quote else { continue }
            text += bytes[start..<position - 1]
            if position < bytes.endIndex, bytes[position] == Self.quote {
                // Two quotes are one.
                text.append(Self.quote)
                position += 1
                start = position
                continue
            }
            if position < bytes.endIndex, ![Self.comma, Self.feed, Self.carriage].contains(bytes[position]) {
                throw Fault(line: line, message: "text follows the closing quote of a field; a quote inside a quoted field is written twice")
            }
            try limit(text.count, first)
            return text
        }
        throw Fault(line: opening, message: "the quote that opens here is never closed")
    }

    private mutating func plainField(startedAt first: Int) throws(Fault) -> [UInt8] {
        let start = position
        while position < bytes.endIndex, ![Self.comma, Self.feed, Self.carriage].contains(bytes[position]) {
            if bytes[position] == Self.quote {
                throw Fault(line: line, message: "a quote inside a field without quotes; put the field in quotes and double the one inside")
            }
            position += 1
        }
        try limit(position - start, first)
        return Array(bytes[start..<position])
    }

    private func limit(_ count: Int, _ line: Int) throws(Fault) {
        guard count <= RecordReader.longestLine else {
            throw Fault(line: line, message: "a field of \(count) bytes, expected at most \(RecordReader.longestLine)")
        }
    }
}
