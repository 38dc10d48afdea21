import Generation
import Testing

/// The lookup against a search through the whole sequence, and the choice of draft lengths.
@Suite struct PromptLookupTests {
    /// The longest n-gram of at most three tokens at the end that stood before, at its newest place.
    private func search(_ tokens: [Int32]) -> NGramIndex.Match? {
        for length in stride(from: min(NGramIndex.longest, tokens.count), through: 1, by: -1) {
            let suffix = tokens.suffix(length)
            for end in stride(from: tokens.count - 2, through: length - 1, by: -1) where tokens[(end - length + 1)...end] == suffix {
                return NGramIndex.Match(length: length, next: end + 1)
            }
        }
        return nil
    }

    @Test(arguments: [1, 2, 3, 20, 1000]) func findsWhatASearchFinds(vocabulary: UInt64) {
        let count = 300
        var index = NGramIndex(capacity: count)
        var state: UInt64 = vocabulary
        for _ in 0..<count {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            index.append(Int32((state >> 33) % vocabulary))
            #expect(index.match == search(index.tokens), "\(index.tokens.suffix(10))")
        }
    }

    @Test func continuationOverlapsTheEnd() {
        var index = NGramIndex(capacity: 8)
        for token in [9, 1, 2, 3, 1, 2, 3] as [Int32] { index.append(token) }
        var draft: [Int32] = [5]
        #expect(index.match == .init(length: 3, next: 4))
        index.continuation(of: index.match!, count: 8, into: &draft)
        #expect(draft == [1, 2, 3, 1, 2, 3, 1, 2])
        index.append(7)
        #expect(index.match == nil)
    }

    @Test func draftsOnlyWhatPays() {
        var gain = DraftGain()
        #expect(gain.bestCount(matched: 3, limit: 8) == 0, "the time of a plain pass is not known yet")
        gain.passed(drafted: 0, seconds: 1)
        let first = gain.bestCount(matched: 3, limit: 8)
        #expect(first >= 2 && first <= 8)
        #expect(gain.bestCount(matched: 3, limit: 1) == 1 && gain.bestCount(matched: 3, limit: 0) == 0)
        var right = gain, wrong = gain, slow = gain
        for _ in 0..<40 {
            right.observe(matched: 3, right: true)
            wrong.observe(matched: 3, right: false)
            slow.passed(drafted: 4, seconds: 5)
        }
        #expect(right.bestCount(matched: 3, limit: 8) == 8)
        #expect(wrong.bestCount(matched: 3, limit: 8) == 0)
        #expect(slow.bestCount(matched: 3, limit: 8) == 0)
        // After a while without drafts they are tried again.
        for _ in 0..<200 { wrong.skip(matched: 3) }
        #expect(wrong.bestCount(matched: 3, limit: 8) > 0)
    }
}
