extension Tokenizer {
    /// What one token contributes to text.
    enum Surface {
        case nothing
        case byte(UInt8)
        /// Shown as it is, without the rule for a leading space.
        case unknown([UInt8])
        /// U+2581 not yet turned into spaces.
        case text(ArraySlice<UInt8>)
        /// Any bytes, as they are: parts of characters, too.
        case bytes(ArraySlice<UInt8>)
    }

    /// The text of a sequence of tokens. An id that no token has adds nothing.
    package func decode(_ ids: some Sequence<Int32>, style: DecodingStyle) -> String {
        var output: [UInt8] = []
        if style == .sentencePiece || encoder.isByteLevel {
            var decoder = StreamingDecoder(self, style: style, contextIsEmpty: true)
            for id in ids { decoder.append(id, to: &output) }
            decoder.finish(into: &output)
            return String(decoding: output, as: UTF8.self)
        }
        var run: [UInt8] = []
        for id in ids {
            switch surface(of: id, style) {
            case .nothing: break
            case .byte(let byte): run.append(byte)
            case .bytes(let bytes): run += bytes
            case .unknown(let text):
                Self.end(&run, into: &output)
                output += text
            case .text(let text):
                Self.end(&run, into: &output)
                UTF8Scanning.append(text, withSpacesTo: &output)
            }
        }
        Self.end(&run, into: &output)
        if dropsLeadingSpace, output.first == 0x20 { output.removeFirst() }
        return String(decoding: output, as: UTF8.self)
    }

    /// Hugging Face's byte fallback: a run of byte tokens is UTF-8 as a whole, or one U+FFFD per byte.
    private static func end(_ run: inout [UInt8], into output: inout [UInt8]) {
        var position = 0
        while position < run.count {
            let length = UTF8Scanning.characterLength(run, at: position)
            if length == 0 { break }
            position += length
        }
        if position == run.count {
            output += run
        } else {
            for _ in run { output += UTF8Scanning.replacement }
        }
        run.removeAll(keepingCapacity: true)
    }

    func surface(of id: Int32, _ style: DecodingStyle) -> Surface {
        guard id >= 0, Int(id) < vocabularySize else { return .nothing }
        let isPiece = Int(id) < vocabulary.count
        let kind = isPiece ? vocabulary.kinds[Int(id)] : .control
        if kind == .byte {
            return Vocabulary.byteValue(of: vocabulary.bytes(of: id)).map { .byte($0) } ?? .nothing
        }
        if kind == .unknown, style == .sentencePiece { return .unknown(unknownSurface) }
        let added = addedByID[id]
        let isSpecial = added?.isSpecial ?? (kind == .control || kind == .unknown)
        if isSpecial, style != .keepingSpecial { return .nothing }
        let text = added.map { $0.text[...] } ?? (isPiece ? vocabulary.bytes(of: id) : [])
        if encoder.isByteLevel { return text.isEmpty ? .nothing : .bytes(text) }
        return added != nil || isPiece ? .text(text) : .nothing
    }
}
