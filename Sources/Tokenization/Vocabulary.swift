/// What a piece is for. Numbers as in the SentencePiece format.
package enum PieceKind: Int32, Sendable {
    case normal = 1, unknown, control, userDefined, unused, byte

    /// Whether text can become this piece; the others are produced in other ways.
    var comesFromText: Bool { self == .normal || self == .userDefined || self == .unused }
}

/// Pieces by id and ids by piece. Pieces are keyed by their bytes: Swift strings that are canonically equivalent
/// compare equal, and real vocabularies hold such pieces under different ids.
package struct Vocabulary: Sendable {
    package struct Piece: Sendable {
        package var bytes: [UInt8]
        package var score: Float
        package var kind: PieceKind
    }

    static let maximumCount = 1 << 22
    static let maximumPieceLength = 8000

    private var text: [UInt8] = []
    private var ends: [Int] = []
    private(set) var scores: [Float] = []
    private(set) var kinds: [PieceKind] = []
    /// Upper half: part of the hash; lower half: id + 1. 0 is free.
    private var slots: [UInt64]
    /// Random, so that a file cannot be made whose pieces all collide.
    private let seed: UInt64
    /// Id of each byte piece, -1 where there is none.
    private(set) var byteIDs = [Int32](repeating: -1, count: 256)
    private(set) var unknownID: Int32 = -1
    private(set) var longestPiece = 0

    /// An empty vocabulary with room for `capacity` pieces, no more.
    init(capacity: Int) {
        precondition(capacity <= Self.maximumCount)
        var size = 16
        while size < capacity * 2 { size *= 2 }
        slots = Array(repeating: 0, count: size)
        seed = UInt64.random(in: .min ... .max)
        ends.reserveCapacity(capacity)
        scores.reserveCapacity(capacity)
        kinds.reserveCapacity(capacity)
        text.reserveCapacity(capacity * 8)
    }

    package var count: Int { ends.count }
    package var hasAllBytes: Bool { !byteIDs.contains(-1) }

    package subscript(id: Int32) -> Piece {
        Piece(bytes: Array(bytes(of: id)), score: scores[Int(id)], kind: kinds[Int(id)])
    }

    /// Precondition: `id` is in the vocabulary.
    package func bytes(of id: Int32) -> ArraySlice<UInt8> {
        text[(id == 0 ? 0 : ends[Int(id) - 1]) ..< ends[Int(id)]]
    }

    func length(of id: Int32) -> Int { ends[Int(id)] - (id == 0 ? 0 : ends[Int(id) - 1]) }

    package func id(of bytes: some Collection<UInt8>) -> Int32? {
        let bytes = Array(bytes)
        let id = find(bytes, 0, bytes.count)
        return id < 0 ? nil : id
    }

    /// Id of the piece that is `bytes[start ..< end]`, or -1.
    func find(_ bytes: [UInt8], _ start: Int, _ end: Int) -> Int32 {
        let hash = hash(bytes, start, end)
        var position = Int(truncatingIfNeeded: hash) & (slots.count - 1)
        while slots[position] != 0 {
            if slots[position] >> 32 == hash >> 32 {
                let id = Int32(truncatingIfNeeded: slots[position] & 0xFFFF_FFFF) - 1
                if equals(id, bytes, start, end) { return id }
            }
            position = (position + 1) & (slots.count - 1)
        }
        return -1
    }

    /// Adds a piece under the next id; returns the id that already has these bytes, if one has.
    /// Precondition: fewer pieces than the capacity, `piece` is not empty.
    mutating func append(_ bytes: [UInt8], score: Float, kind: PieceKind) -> Int32? {
        let existing = find(bytes, 0, bytes.count)
        if existing >= 0 { return existing }
        let id = Int32(count)
        let hash = hash(bytes, 0, bytes.count)
        var position = Int(truncatingIfNeeded: hash) & (slots.count - 1)
        while slots[position] != 0 { position = (position + 1) & (slots.count - 1) }
        slots[position] = (hash & 0xFFFF_FFFF_0000_0000) | UInt64(id + 1)
        appendUnfindable(bytes, score: score, kind: kind)
        return nil
    }

    /// Adds an entry that no text leads to: a hole in a numbering.
    mutating func appendUnfindable(_ bytes: [UInt8], score: Float, kind: PieceKind) {
        let id = Int32(count)
        text += bytes
        ends.append(text.count)
        scores.append(score)
        kinds.append(kind)
        if bytes.count > longestPiece { longestPiece = bytes.count }
        if kind == .unknown { unknownID = id }
        if kind == .byte, let value = Self.byteValue(of: bytes[...]) { byteIDs[Int(value)] = id }
    }

    /// The byte that a piece `<0xHH>` stands for; upper-case digits only, as SentencePiece writes them.
    static func byteValue(of piece: ArraySlice<UInt8>) -> UInt8? {
        func digit(_ character: UInt8) -> UInt8? {
            switch character {
            case 0x30 ... 0x39: character - 0x30
            case 0x41 ... 0x46: character - 0x41 + 10
            default: nil
            }
        }
        let start = piece.startIndex
        guard piece.count == 6, piece.starts(with: "<0x".utf8), piece[start + 5] == UInt8(ascii: ">"),
              let high = digit(piece[start + 3]), let low = digit(piece[start + 4])
        else { return nil }
        return high << 4 | low
    }

    /// Whether the text of `result` is that of `left` and then that of `right`.
    func isJoint(_ left: Int32, _ right: Int32, _ result: Int32) -> Bool {
        let leftLength = length(of: left), rightLength = length(of: right)
        if length(of: result) != leftLength + rightLength { return false }
        let start = ends[Int(result)] - leftLength - rightLength
        return equals(left, text, start, start + leftLength)
            && equals(right, text, start + leftLength, start + leftLength + rightLength)
    }

    private func equals(_ id: Int32, _ bytes: [UInt8], _ start: Int, _ end: Int) -> Bool {
        let first = id == 0 ? 0 : ends[Int(id) - 1]
        if ends[Int(id)] - first != end - start { return false }
        for offset in 0 ..< end - start where text[first + offset] != bytes[start + offset] { return false }
        return true
    }

    private func hash(_ bytes: [UInt8], _ start: Int, _ end: Int) -> UInt64 {
        var hash = seed
        for position in start ..< end {
            hash = (hash ^ UInt64(bytes[position])) &* 0x9E37_79B9_7F4A_7C15
            hash ^= hash >> 32
        }
        return hash
    }
}
