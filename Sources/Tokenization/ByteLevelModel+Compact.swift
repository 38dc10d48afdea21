/// The form in which a model file keeps a byte-level vocabulary. Authority: `Formats/Tokenizers.md`, section 4.
extension ByteLevelModel {
    static let compactFile = "byte_level.vocabulary"
    private static let magic = Array("QUERNBPE".utf8)
    private static let headBytes = 48
    private static let none: UInt32 = .max

    // MARK: - Writing

    func encoded() -> [UInt8] {
        var bytes = Self.magic
        func add(_ value: some FixedWidthInteger) { withUnsafeBytes(of: value.littleEndian) { bytes += $0 } }
        let tokens = (0 ..< Int32(vocabulary.count)).map { vocabulary.bytes(of: $0) }
        let textBytes = tokens.reduce(0) { $0 + $1.count } + added.reduce(0) { $0 + $1.text.count }
        bytes.reserveCapacity(Self.headBytes + tokens.count * 2 + merges.count * 12 + added.count * 12 + textBytes + 2)
        for value in [1, 1, UInt32(tokens.count), UInt32(merges.count), UInt32(added.count), beginID.map { UInt32($0) } ?? Self.none] {
            add(value)
        }
        add(UInt64(textBytes))
        add(UInt32(takesWholeWords ? 1 : 0))
        add(UInt32(0))
        for token in tokens { add(UInt16(token.count)) }
        if tokens.count % 2 == 1 { add(UInt16(0)) }
        for merge in merges {
            for id in [merge.left, merge.right, merge.result] { add(id) }
        }
        for token in added {
            add(token.id)
            add(UInt32(token.text.count))
            add(UInt32(
                (token.isSpecial ? 1 : 0) | (token.takesSpaceBefore ? 2 : 0) | (token.takesSpaceAfter ? 4 : 0) | (token.standsAlone ? 8 : 0)))
        }
        for token in tokens { bytes += token }
        for token in added { bytes += token.text }
        return bytes
    }

    // MARK: - Reading

    /// Checks every rule of section 4.
    init(decoding bytes: [UInt8]) throws(TokenizationError) {
        guard bytes.count >= Self.headBytes, bytes.starts(with: Self.magic) else {
            throw Self.fault("its start", "QUERNBPE and \(Self.headBytes - 8) more bytes", "something else (\(bytes.count) bytes)")
        }
        let head = Numbers(bytes: bytes)
        for (offset, name) in [(8, "layout"), (12, "split_rule")] where head[offset] != 1 {
            throw Self.fault(name, "1", "\(head[offset])", advice: "use a newer quern")
        }
        let tokenCount = try head.expect("token_count", at: 16, in: 256 ... UInt32(Vocabulary.maximumCount))
        let mergeCount = try head.expect("merge_count", at: 20, in: 0 ... UInt32(Self.largestMergeCount))
        let addedCount = try head.expect("added_count", at: 24, in: 0 ... UInt32(Self.largestAddedCount))
        let textBytes = UInt64(head[32]) | UInt64(head[36]) << 32
        let flags = try head.expect("flags", at: 40, in: 0 ... 1)
        _ = try head.expect("reserved", at: 44, in: 0 ... 0)

        let mergesStart = (Self.headBytes + tokenCount * 2 + 3) / 4 * 4
        let addedStart = mergesStart + mergeCount * 12
        let textsStart = addedStart + addedCount * 12
        guard UInt64(textsStart).addingReportingOverflow(textBytes) == (UInt64(bytes.count), false) else {
            throw Self.fault("text_bytes", "what makes \(bytes.count) bytes in all", "\(textBytes) after \(textsStart)")
        }
        if tokenCount % 2 == 1, bytes[mergesStart - 2] | bytes[mergesStart - 1] != 0 {
            throw Self.fault("the bytes before the merges", "zeros", "others")
        }
        takesWholeWords = flags == 1
        var position = textsStart
        vocabulary = try Self.vocabulary(bytes, head, tokenCount, &position)
        merges = try Self.merges(head, mergesStart, mergeCount, vocabulary)
        table = MergeTable(merges, tokenCount: tokenCount)
        if let (first, second) = table.duplicate {
            throw Self.fault("merge \(second)", "a pair of its own", "that of merge \(first)")
        }
        added = try Self.added(bytes, head, addedStart, addedCount, vocabulary, &position)
        guard position == bytes.count else { throw Self.fault("text_bytes", "the sum of all lengths", "\(textBytes)") }
        beginID = nil
        if head[28] != Self.none {
            guard let id = Int32(exactly: head[28]), added.contains(where: { $0.id == id }) else {
                throw Self.fault("begin_id", "an added token or none", "\(head[28])")
            }
            beginID = id
        }
        if let fault = merge(with: Self.specials(among: added, below: vocabulary.count)) {
            throw Self.fault("merge \(fault.rank)", "tokens that are not special", "token \(fault.id)")
        }
    }

    private static func vocabulary(
        _ bytes: [UInt8], _ numbers: Numbers, _ count: Int, _ position: inout Int
    ) throws(TokenizationError) -> Vocabulary {
        var vocabulary = Vocabulary(capacity: count)
        for id in 0 ..< count {
            let length = Int(numbers.half(headBytes + 2 * id))
            guard length <= Vocabulary.maximumPieceLength, length <= bytes.count - position else {
                throw fault("token \(id)", "at most \(Vocabulary.maximumPieceLength) bytes, within text_bytes", "\(length)")
            }
            let text = Array(bytes[position ..< position + length])
            position += length
            if length == 0 {
                vocabulary.appendUnfindable([], score: 0, kind: .control)
            } else if let earlier = vocabulary.append(text, score: 0, kind: .normal) {
                throw fault("token \(id)", "a text of its own", "\(TokenizationError.quoted(text)), which token \(earlier) has")
            }
        }
        if let byte = missingBytes(vocabulary).first {
            throw fault("tokens", "each of the 256 single bytes", "none that is the byte \(byte)")
        }
        return vocabulary
    }

    private static func merges(
        _ numbers: Numbers, _ start: Int, _ count: Int, _ vocabulary: Vocabulary
    ) throws(TokenizationError) -> [MergeTable.Merge] {
        var merges: [MergeTable.Merge] = []
        merges.reserveCapacity(count)
        let limit = UInt32(vocabulary.count)
        for rank in 0 ..< count {
            let place = start + 12 * rank
            let (left, right, result) = (numbers[place], numbers[place + 4], numbers[place + 8])
            guard left < limit, right < limit, result < limit else {
                throw fault("merge \(rank)", "ids below \(limit)", "\(left), \(right), \(result)")
            }
            let merge = MergeTable.Merge(left: Int32(left), right: Int32(right), result: Int32(result))
            guard vocabulary.length(of: merge.left) > 0, vocabulary.length(of: merge.right) > 0,
                vocabulary.isJoint(merge.left, merge.right, merge.result)
            else {
                throw fault("merge \(rank)", "a result that is the text of both", "\(left), \(right), \(result)")
            }
            merges.append(merge)
        }
        return merges
    }

    private static func added(
        _ bytes: [UInt8], _ numbers: Numbers, _ start: Int, _ count: Int, _ vocabulary: Vocabulary, _ position: inout Int
    ) throws(TokenizationError) -> [AddedToken] {
        var tokens: [AddedToken] = []
        var texts: Set<[UInt8]> = []
        for index in 0 ..< count {
            let place = start + 12 * index
            let name = "added token \(index)"
            guard let id = Int32(exactly: numbers[place]), tokens.last.map({ $0.id < id }) ?? true else {
                throw fault(name, "an id below 2^31 and above the one before", "\(numbers[place])")
            }
            let length = Int(numbers[place + 4])
            guard (1 ... Vocabulary.maximumPieceLength).contains(length), length <= bytes.count - position else {
                throw fault(name, "1 to \(Vocabulary.maximumPieceLength) bytes, within text_bytes", "\(length)")
            }
            let flags = numbers[place + 8]
            guard flags < 16 else { throw fault(name, "flags within 0...15", "\(flags)") }
            let text = Array(bytes[position ..< position + length])
            position += length
            guard String(validating: text, as: UTF8.self) != nil, texts.insert(text).inserted else {
                throw fault(name, "a text of its own in UTF-8", TokenizationError.quoted(text))
            }
            if Int(id) < vocabulary.count, vocabulary.length(of: id) > 0, !vocabulary.bytes(of: id).elementsEqual(text) {
                throw fault(name, "the text of token \(id), \(TokenizationError.quoted(vocabulary.bytes(of: id)))", TokenizationError.quoted(text))
            }
            var token = AddedToken(id: id, text: text, isSpecial: flags & 1 != 0)
            token.takesSpaceBefore = flags & 2 != 0
            token.takesSpaceAfter = flags & 4 != 0
            token.standsAlone = flags & 8 != 0
            tokens.append(token)
        }
        return tokens
    }

    private static func fault(
        _ place: String, _ expected: String, _ found: String, advice: String = "convert the checkpoint again"
    ) -> TokenizationError {
        .malformed(compactFile, place, expected: expected, found: found, advice: advice)
    }

    /// Little-endian numbers at checked offsets.
    private struct Numbers {
        let bytes: [UInt8]

        subscript(offset: Int) -> UInt32 {
            bytes.withUnsafeBytes { UInt32(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: UInt32.self)) }
        }

        func half(_ offset: Int) -> UInt16 {
            bytes.withUnsafeBytes { UInt16(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: UInt16.self)) }
        }

        func expect(_ name: String, at offset: Int, in range: ClosedRange<UInt32>) throws(TokenizationError) -> Int {
            let value = self[offset]
            guard range.contains(value) else { throw fault(name, "\(range.lowerBound) to \(range.upperBound)", "\(value)") }
            return Int(value)
        }
    }
}
