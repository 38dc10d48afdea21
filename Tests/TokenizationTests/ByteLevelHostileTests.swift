import StrictJSON
import Testing
import Tokenization

/// Byte-level files that break a rule: one error that names file and field, or a tokenizer, never anything else.
@Suite struct ByteLevelHostileTests {
    private static let again = "; fetch the file again from where the model comes from"
    private static let cannot = "; this tokenizer cannot be used with this version"

    private func failure(size: Int = 512, _ change: (inout ByteLevelWriter) -> Void) -> String {
        var writer = ByteLevelWriter()
        change(&writer)
        return failure(writer.bytes, size: size)
    }

    private func failure(_ json: [UInt8], size: Int = 512) -> String {
        do {
            _ = try Tokenizer(files: TokenizerFiles(json: json, vocabularySize: size))
            return "no error"
        } catch { return "\(error)" }
    }

    @Test func vocabulary() {
        #expect(failure { _ in } == "no error")
        #expect(failure { $0.vocabulary[65].text = "xyz" }
            == "tokenizer.json: model.vocab: expected a token for each of 256 bytes, found 255 of them, none for the byte 0x41" + Self.again)
        #expect(failure { $0.vocabulary[70].id = 65 }
            == "tokenizer.json: model.vocab.'F': expected an id of its own, found 65, which is also the id of 'A'" + Self.again)
        #expect(failure { $0.vocabulary.append(("a b", 290)) }
            == "tokenizer.json: model.vocab, id 290: expected characters of the byte alphabet, found 'a b'" + Self.again)
        #expect(failure { $0.vocabulary.append(("想", 290)) }
            == "tokenizer.json: model.vocab, id 290: expected characters of the byte alphabet, found '想'" + Self.again)
        #expect(failure { $0.vocabulary.append(("abc", -1)) } == "tokenizer.json: model.vocab.'abc': expected a token id, found -1" + Self.again)
        #expect(failure { $0.vocabulary.append(("abc", 1 << 40)) }
            == "tokenizer.json: model.vocab.'abc': expected an id below config.json's vocab_size 512, found 1099511627776; "
                + "use the tokenizer that belongs to this model")
        #expect(failure(size: .max) { $0.vocabulary.append(("abc", 1 << 40)) } != "no error")
        #expect(failure { $0.vocabulary.append((String(repeating: "a", count: 8000), 290)) }
            == "tokenizer.json: model.vocab, id 290: expected a text of 1 to 7999 bytes, found 8000 bytes" + Self.again)
    }

    @Test func merges() {
        #expect(failure { $0.merges.append(["x", "y"]) }
            == "tokenizer.json: model.merges[8]: expected texts of the vocabulary that join to another one, found 'x' and 'y'" + Self.again)
        #expect(failure { $0.merges.append("x  y") }
            == "tokenizer.json: model.merges[8]: expected two texts, as \"a b\" or [\"a\", \"b\"], found the string 'x  y'" + Self.again)
        #expect(failure { $0.merges.append(["x", "y", "z"]) }
            == "tokenizer.json: model.merges[8]: expected two texts, as \"a b\" or [\"a\", \"b\"], found an array" + Self.again)
        #expect(failure { $0.merges.append(7) } == "tokenizer.json: model.merges[8]: expected two texts, as \"a b\" or [\"a\", \"b\"], found 7" + Self.again)
        #expect(failure { $0.merges.append(["", "h"]) }
            == "tokenizer.json: model.merges[8]: expected texts of the vocabulary that join to another one, found '' and 'h'" + Self.again)
        #expect(failure { $0.merges.append("h e") }
            == "tokenizer.json: model.merges[8]: expected a pair of its own, found that of model.merges[0]" + Self.again)
        #expect(failure { $0.merges.append("想 h") }
            == "tokenizer.json: model.merges[8]: expected texts of the vocabulary that join to another one, found '想' and 'h'" + Self.again)
    }

    @Test func missingFields() {
        func without(_ path: [String]) -> String {
            var root = ByteLevelWriter().document
            if path.count == 1 {
                root.set(path[0], nil)
            } else {
                var inner = root[path[0]]?.object ?? [:]
                inner.set(path[1], nil)
                root.set(path[0], JSONValue(inner))
            }
            return failure(JSONValue(root).serialized())
        }
        #expect(without(["model"]) == "tokenizer.json: model: expected an object, found nothing" + Self.again)
        #expect(without(["model", "vocab"]) == "tokenizer.json: model.vocab: expected an object, found nothing" + Self.again)
        #expect(without(["model", "merges"]) == "tokenizer.json: model.merges: expected an array, found nothing" + Self.again)
        #expect(without(["decoder"]) == "tokenizer.json: decoder: expected ByteLevel, found nothing" + Self.cannot)
        #expect(without(["pre_tokenizer"]) == "tokenizer.json: pre_tokenizer: expected a Split and a ByteLevel, found neither" + Self.cannot)
        #expect(without(["decoder", "type"]) == "tokenizer.json: decoder.type: expected a string, found nothing" + Self.again)
        #expect(without(["post_processor"]) == "no error" && without(["added_tokens"]) != "no error")
    }

    @Test func addedTokens() {
        #expect(failure { $0.add("<x>", id: 300) }
            == "tokenizer.json: added_tokens[2].id: expected an id of its own, found 300, which added_tokens[0] has" + Self.again)
        #expect(failure { $0.add("<|begin|>", id: 302) }
            == "tokenizer.json: added_tokens[2].content: expected a text of its own, found '<|begin|>', which added_tokens[0] has" + Self.again)
        #expect(failure { $0.add("x", id: -5) } == "tokenizer.json: added_tokens[2].id: expected a token id, found -5" + Self.again)
        #expect(failure { $0.add("x", id: 1 << 31) }
            == "tokenizer.json: added_tokens[2].id: expected an id below 2147483647, found 2147483648" + Self.again)
        #expect(failure { $0.add("x", id: 65) } == "tokenizer.json: added_tokens, id 65: expected 'A', as in model.vocab, found 'x'" + Self.again)
        #expect(failure { $0.add("", id: 302) } == "tokenizer.json: added_tokens[2].content: expected 1 to 7999 bytes, found 0 bytes" + Self.again)
        #expect(failure { $0.add("he", id: Int($0.id("he"))) }
            == "tokenizer.json: model.merges[0]: expected tokens that are not special, found 'he'" + Self.again)
        #expect(failure { $0.added.append(["id": "7", "content": "x"]) }
            == "tokenizer.json: added_tokens[2].id: expected a token id, found the string '7'" + Self.again)
        #expect(failure { $0.added.append(["id": 303]) }
            == "tokenizer.json: added_tokens[2].content: expected the token's text, found nothing" + Self.again)
        #expect(failure { $0.added.append("x") } == "tokenizer.json: added_tokens[2]: expected an object, found the string 'x'" + Self.again)
    }

    @Test func otherKindsOfTokenizers() {
        func preTokenizer(_ steps: JSONValue...) -> String {
            failure { $0.root.set("pre_tokenizer", ["type": "Sequence", "pretokenizers": JSONValue(steps)]) }
        }
        func split(_ expression: String) -> JSONValue {
            ["type": "Split", "pattern": ["Regex": JSONValue(expression)], "behavior": "Isolated", "invert": false]
        }
        let place = "tokenizer.json: pre_tokenizer.pretokenizers"
        let bytes: JSONValue = ["type": "ByteLevel", "add_prefix_space": false, "use_regex": false]
        #expect(preTokenizer(split(ByteLevelWriter.expression), bytes) == "no error")
        // Qwen2 takes one digit at a time.
        #expect(preTokenizer(split(ByteLevelWriter.expression.replacing("{1,3}", with: "")), bytes)
            == "\(place)[0]: expected the regular expression of Llama-3, found '(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| "
                + "?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+'; "
                + "models whose tokenizer splits text in another way than Llama-3 cannot be used with this version")
        #expect(preTokenizer(["type": "ByteLevel", "add_prefix_space": false, "use_regex": true])
            == "\(place)[0]: expected a Split before a ByteLevel without use_regex, found the split of GPT-2" + Self.cannot)
        #expect(preTokenizer(["type": "Digits"], bytes)
            == "\(place)[0]: expected a Split and a ByteLevel, found the pre-tokenizer 'Digits'" + Self.cannot)
        #expect(preTokenizer(["type": "Split", "pattern": ["String": "x"]], bytes)
            == "\(place)[0]: expected a pattern with a Regex, found an object" + Self.cannot)
        #expect(preTokenizer(split(ByteLevelWriter.expression), split(ByteLevelWriter.expression), bytes)
            == "\(place)[1]: expected a Split and a ByteLevel, found the pre-tokenizer 'Split'" + Self.cannot)
        #expect(failure { $0.root.set("normalizer", ["type": "NFC"]) }
            == "tokenizer.json: normalizer: expected no normalizer, found the normalizer 'NFC'" + Self.cannot)
        #expect(failure { $0.root.set("decoder", ["type": "Sequence", "decoders": [["type": "ByteLevel"], ["type": "Fuse"]]]) }
            == "tokenizer.json: decoder: expected ByteLevel, found an object" + Self.cannot)
        #expect(failure { $0.root.set("post_processor", ["type": "BertProcessing"]) }
            == "tokenizer.json: post_processor: expected ByteLevel or TemplateProcessing, found the post-processor 'BertProcessing'" + Self.cannot)
        #expect(failure { $0.root.set("post_processor", ["type": "TemplateProcessing", "single": [["SpecialToken": ["id": "<x>"]]]]) }
            == "tokenizer.json: post_processor.single[0].SpecialToken.id: expected an added token, found '<x>'" + Self.again)
        #expect(failure { $0.model.set("type", "Unigram") } == "tokenizer.json: model.type: expected 'BPE', found 'Unigram'" + Self.cannot)
        #expect(failure { $0.model.set("byte_fallback", true) }
            == "tokenizer.json: model.byte_fallback: expected false, beside ByteLevel, found true" + Self.cannot)
    }

    @Test func deepAndCutTexts() {
        let deep = String(repeating: "[", count: 1 << 20)
        #expect(failure(Array(#"{"decoder":{"type":"ByteLevel"},"model":"#.utf8) + Array(deep.utf8)).contains("nested deeper than"))
        let whole = ByteLevelWriter().bytes
        for length in stride(from: 0, to: whole.count, by: 7) {
            #expect(failure(Array(whole[..<length])).hasPrefix("tokenizer.json: "), "\(length)")
        }
    }

    @Test func changedJSON() throws {
        let whole = ByteLevelWriter().bytes
        var generator = Numbers(state: 23)
        var loaded = 0
        for _ in 0 ..< 4000 {
            var bytes = whole
            for _ in 0 ... generator.next() % 3 {
                // Digits and quotes keep more of the changes well-formed.
                let choice = generator.next() % 4
                let value = choice == 0 ? UInt8(generator.next() & 255) : choice == 1 ? 0x22 : UInt8(0x30 + generator.next() % 10)
                bytes[generator.next() % bytes.count] = value
            }
            guard let tokenizer = try? Tokenizer(files: TokenizerFiles(json: bytes, vocabularySize: 512)) else { continue }
            loaded += 1
            exercise(tokenizer)
        }
        #expect(loaded > 100)
    }

    @Test func changedCompactForms() throws {
        let whole = try #require(try Tokenizer.byteLevelVocabulary(fromJSON: ByteLevelWriter().bytes, vocabularySize: 512))
        func load(_ bytes: [UInt8], size: Int = 512) -> Tokenizer? {
            do { return try Tokenizer(files: TokenizerFiles(byteLevel: bytes, vocabularySize: size)) } catch {
                #expect(error.file == "byte_level.vocabulary")
                return nil
            }
        }
        #expect(load(whole) != nil && load(whole, size: 100) == nil && load(whole + [0]) == nil)
        for length in 0 ..< whole.count { #expect(load(Array(whole[..<length])) == nil) }
        var generator = Numbers(state: 29)
        var loaded = 0
        for round in 0 ..< 6000 {
            var bytes = whole
            // The first rounds change every byte of the head once.
            let place = round < 48 ? round : generator.next() % bytes.count
            bytes[place] ^= UInt8(1 << (generator.next() % 8))
            guard let tokenizer = load(bytes) else { continue }
            loaded += 1
            exercise(tokenizer)
        }
        #expect(loaded > 100 && loaded < 5900)
    }

    @Test func compactFormsThatBreakARule() throws {
        let whole = try #require(try Tokenizer.byteLevelVocabulary(fromJSON: ByteLevelWriter().bytes, vocabularySize: 512))
        let advice = "; convert the checkpoint again"
        func failure(_ changes: [(Int, UInt32)]) -> String {
            var bytes = whole
            for (offset, value) in changes {
                for index in 0 ..< 4 { bytes[offset + index] = UInt8(truncatingIfNeeded: value >> UInt32(8 * index)) }
            }
            do {
                _ = try Tokenizer(files: TokenizerFiles(byteLevel: bytes, vocabularySize: 512))
                return "no error"
            } catch { return "\(error)" }
        }
        let tokens = ByteLevelWriter().vocabulary.count
        let merges = (48 + 2 * tokens + 3) / 4 * 4
        #expect(failure([]) == "no error")
        #expect(failure([(8, 2)]) == "byte_level.vocabulary: layout: expected 1, found 2; use a newer quern")
        #expect(failure([(12, 9)]) == "byte_level.vocabulary: split_rule: expected 1, found 9; use a newer quern")
        #expect(failure([(16, 255)]) == "byte_level.vocabulary: token_count: expected 256 to 4194304, found 255" + advice)
        #expect(failure([(20, .max)]) == "byte_level.vocabulary: merge_count: expected 0 to 16777216, found 4294967295" + advice)
        #expect(failure([(28, 7)]) == "byte_level.vocabulary: begin_id: expected an added token or none, found 7" + advice)
        #expect(failure([(36, 1)]).hasPrefix("byte_level.vocabulary: text_bytes: expected what makes "))
        #expect(failure([(40, 2)]) == "byte_level.vocabulary: flags: expected 0 to 1, found 2" + advice)
        #expect(failure([(44, 1)]) == "byte_level.vocabulary: reserved: expected 0 to 0, found 1" + advice)
        #expect(failure([(merges, 5000)]).hasPrefix("byte_level.vocabulary: merge 0: expected ids below \(tokens), found 5000, "))
        #expect(failure([(merges + 8, 7)]).hasPrefix("byte_level.vocabulary: merge 0: expected a result that is the text of both, found "))
        let (second, first) = (merges + 12, merges)
        let copied = (0 ..< 3).map { index in
            (second + 4 * index, (0 ..< 4).reduce(UInt32(0)) { $0 | UInt32(whole[first + 4 * index + $1]) << UInt32(8 * $1) })
        }
        #expect(failure(copied) == "byte_level.vocabulary: merge 1: expected a pair of its own, found that of merge 0" + advice)
    }

    private func exercise(_ tokenizer: Tokenizer) {
        let ids = tokenizer.encode("hello  whole <|eot_id|>'ll naïve 🦙\r\n\t12345", addBOS: true, parseSpecial: true)
        _ = tokenizer.decode(ids + [0, 3, 259, 511], style: .keepingSpecial)
        _ = tokenizer.probes()
    }
}
