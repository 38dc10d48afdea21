/// What the Llama-3 split distinguishes. Authority: `Formats/Tokenizers.md`, section 2.
enum CharacterClass: UInt8 {
    case other = 0, letter, number, space
    /// CR and LF, which are white space, too.
    case lineBreak

    var isWhiteSpace: Bool { self == .space || self == .lineBreak }
}

/// The class of every code point. Tables of our own, because the properties of the standard library follow the Unicode version
/// of the toolchain, and a text must not be split differently by another build.
struct CharacterClasses: Sendable {
    static let shared = CharacterClasses()

    private let classes: [UInt8]

    private init() {
        // Above the last letter or number everything is `other`.
        let end = Int(max(UnicodeRanges.letters.last ?? 0, UnicodeRanges.numbers.last ?? 0, 0x3000)) + 1
        var classes = [UInt8](repeating: CharacterClass.other.rawValue, count: end)
        func fill(_ ranges: [UInt32], _ value: CharacterClass) {
            for index in stride(from: 0, to: ranges.count, by: 2) {
                for code in ranges[index] ... ranges[index + 1] { classes[Int(code)] = value.rawValue }
            }
        }
        fill(UnicodeRanges.letters, .letter)
        fill(UnicodeRanges.numbers, .number)
        // White_Space, which has not changed since Unicode 6.3.
        fill([0x09, 0x0D, 0x20, 0x20, 0x85, 0x85, 0xA0, 0xA0, 0x1680, 0x1680, 0x2000, 0x200A, 0x2028, 0x2029, 0x202F, 0x202F,
              0x205F, 0x205F, 0x3000, 0x3000], .space)
        fill([0x0A, 0x0A, 0x0D, 0x0D], .lineBreak)
        self.classes = classes
    }

    subscript(code: UInt32) -> CharacterClass {
        let index = Int(code)
        return index < classes.count ? CharacterClass(rawValue: classes[index]) ?? .other : .other
    }
}
