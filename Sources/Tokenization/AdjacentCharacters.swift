/// Which pairs of neighbouring characters occur inside pieces. Between two characters that never do, no merge can reach
/// across, so text may be cut there; short runs keep the merge queue small.
///
/// A set of hash bits: a pair may be reported although it never occurs, which only makes a run longer.
struct AdjacentCharacters: Sendable {
    private static let bitCount = 1 << 18
    private var words = [UInt64](repeating: 0, count: bitCount / 64)

    init(of vocabulary: Vocabulary) {
        for id in 0 ..< Int32(vocabulary.count) where vocabulary.kinds[Int(id)] != .byte {
            let piece = Array(vocabulary.bytes(of: id))
            var position = 0
            var previous: UInt32?
            while position < piece.count {
                let length = min(max(UTF8Scanning.announcedLength(piece[position]), 1), piece.count - position)
                let character = UTF8Scanning.packedCharacter(piece, at: position, length: length)
                if let previous {
                    let bit = Self.bit(previous, character)
                    words[bit / 64] |= 1 << UInt64(bit % 64)
                }
                previous = character
                position += length
            }
        }
    }

    func mayContain(_ first: UInt32, _ second: UInt32) -> Bool {
        let bit = Self.bit(first, second)
        return words[bit / 64] >> UInt64(bit % 64) & 1 == 1
    }

    private static func bit(_ first: UInt32, _ second: UInt32) -> Int {
        let mixed = (UInt64(first) << 32 | UInt64(second)) &* 0x9E37_79B9_7F4A_7C15
        return Int(mixed >> 46)
    }
}
