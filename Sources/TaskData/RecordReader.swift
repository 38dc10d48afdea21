import ByteStorage
package import ModelFiles
import StrictJSON

/// A data file as rows: JSON lines, or CSV with a header. The name decides (`.csv`; `.jsonl`, `.json`, `.ndjson`), else the first character.
package struct RecordReader {
    package let path: String
    package let records: [DataRecord]
    package let digest: Digest32

    static let longestLine = 4 << 20
    private static let largestFile: UInt64 = 1 << 30
    private static let mark: [UInt8] = [0xEF, 0xBB, 0xBF]

    package init(path: String, headerless: HeaderlessColumns? = nil) throws {
        try self.init(path: path, bytes: ReadableFile(path: path).readAll(limit: Self.largestFile), headerless: headerless)
    }

    /// Columns of a published CSV file that has no header.
    package struct HeaderlessColumns: Sendable {
        let names: [String]
        /// Whether a first row is data and not a header.
        let recognizes: @Sendable ([String]) -> Bool
    }

    package init(path: String, bytes: [UInt8], headerless: HeaderlessColumns? = nil) throws(DataError) {
        self.path = path
        digest = Digest32.of(bytes)
        // Spreadsheets write a byte order mark.
        let content = bytes.starts(with: Self.mark) ? bytes.dropFirst(Self.mark.count) : bytes[...]
        guard let first = content.first(where: { ![0x20, 0x09, 0x0A, 0x0D].contains($0) }) else {
            throw DataError(path: path, "holds no row, expected questions as JSON lines or CSV")
        }
        let isCSV = path.lowercased().hasSuffix(".csv") || ![".jsonl", ".json", ".ndjson"].contains { path.lowercased().hasSuffix($0) } && first != UInt8(ascii: "{")
        records = isCSV ? try Self.readCSV(path, content, headerless) : try Self.readLines(path, content)
        guard !records.isEmpty else { throw DataError(path: path, "holds a header and no row, expected questions") }
    }

    private static func readLines(_ path: String, _ content: ArraySlice<UInt8>) throws(DataError) -> [DataRecord] {
        var records: [DataRecord] = []
        var line = 0, position = content.startIndex
        while position < content.endIndex {
            line += 1
            let end = content[position...].firstIndex(of: UInt8(ascii: "\n")) ?? content.endIndex
            let text = content[position..<end]
            position = end < content.endIndex ? end + 1 : end
            guard text.count <= longestLine else {
                throw DataError(path: path, line: line, "\(text.count) bytes, expected at most \(longestLine); is this JSON with one object per line?")
            }
            if text.allSatisfy({ [0x20, 0x09, 0x0D].contains($0) }) { continue }
            let value: JSONValue
            do throws(JSONError) { value = try JSONReader.read(Array(text)) } catch {
                throw DataError(path: path, line: line, "no valid JSON: \(error); expected one object per line" + advice(text, line))
            }
            guard let object = value.object else {
                throw DataError(path: path, line: line, "is \(value.summary), expected an object, one per line" + advice(text, line))
            }
            records.append(DataRecord(path: path, line: line, values: object, isText: false))
        }
        return records
    }

    /// For the two forms that are often taken for JSON lines.
    private static func advice(_ text: ArraySlice<UInt8>, _ line: Int) -> String {
        guard line == 1, let first = text.first(where: { $0 != 0x20 }) else { return "" }
        if first == UInt8(ascii: "[") { return "; of an array, jq -c '.[]' makes lines" }
        return first == UInt8(ascii: "{") ? "; of a file with one large object, jq makes lines" : "; name a CSV file .csv"
    }

    private static func readCSV(_ path: String, _ content: ArraySlice<UInt8>, _ headerless: HeaderlessColumns?) throws(DataError) -> [DataRecord] {
        var reader = CSVReader(content)
        func row() throws(DataError) -> (line: Int, fields: [String])? {
            do throws(CSVReader.Fault) {
                guard let row = try reader.next() else { return nil }
                var fields: [String] = []
                for (index, field) in row.fields.enumerated() {
                    guard let text = String(validating: field, as: UTF8.self) else {
                        throw CSVReader.Fault(line: row.line, message: "column \(index + 1) is no valid UTF-8; save the file as UTF-8")
                    }
                    fields.append(text)
                }
                return (row.line, fields)
            } catch { throw DataError(path: path, line: error.line, error.message) }
        }
        guard let first = try row() else { return [] }
        var names = first.fields
        var records: [DataRecord] = []
        func add(_ row: (line: Int, fields: [String])) throws(DataError) {
            guard row.fields.count == names.count else {
                throw DataError(path: path, line: row.line, "\(row.fields.count) fields, expected \(names.count) as in the first row; fields with commas or line breaks need quotes")
            }
            var values = JSONObject()
            for (name, field) in zip(names, row.fields) { values.set(name, JSONValue(field)) }
            records.append(DataRecord(path: path, line: row.line, values: values, isText: true))
        }
        if let headerless, headerless.recognizes(first.fields) {
            names = headerless.names
            try add(first)
        } else {
            for (index, name) in names.enumerated() {
                // Spreadsheets and data frames put a column without a name in front.
                if name.isEmpty, index > 0 { throw DataError(path: path, line: first.line, "column \(index + 1) has no name, expected a header with the columns' names") }
                if names[..<index].contains(name) { throw DataError(path: path, line: first.line, field: name, "appears twice in the header") }
            }
        }
        while let next = try row() { try add(next) }
        return records
    }
}
