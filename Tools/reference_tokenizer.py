"""Byte-level tokenizers of .quern files, written from Formats/Tokenizers.md ("Tok") alone: the vocabulary's rules, and
text to ids and back, slowly. Used by reference_reader.py."""
import struct
import unicodedata

from reference_types import require, align

MAGIC = b"QUERNBPE"
NONE = 0xFFFFFFFF


class Vocabulary:
    """Tok 4: reading checks every rule of that section."""

    def __init__(self, data):
        where = "byte_level.vocabulary"
        require(len(data) >= 48 and data[:8] == MAGIC, "magic", where, MAGIC, data[:8])
        layout, split, tokens, merges, added, begin = struct.unpack_from("<6I", data, 8)
        text_bytes, flags, reserved = struct.unpack_from("<QII", data, 32)
        require(layout == 1, "layout", where, 1, layout)
        require(split == 1, "split_rule", where, 1, split)
        require(256 <= tokens <= 1 << 22, "token_count", where, "256 ... 2^22", tokens)
        require(merges <= 1 << 24, "merge_count", where, "at most 2^24", merges)
        require(added <= 65536, "added_count", where, "at most 65536", added)
        require(flags <= 1 and reserved == 0, "flags, reserved", where, "0 or 1, 0", (flags, reserved))
        merges_at = align(48 + 2 * tokens, 4)
        added_at = merges_at + 12 * merges
        at = added_at + 12 * added
        require(at + text_bytes == len(data), "text_bytes", where, len(data) - at, text_bytes)
        require(not any(data[48 + 2 * tokens:merges_at]), "bytes before the merges", where, "zero", "others")
        self.whole_words = bool(flags)

        self.tokens, self.ids = [], {}
        for index, length in enumerate(struct.unpack_from(f"<{tokens}H", data, 48)):
            require(length <= 8000 and at + length <= len(data), "length", f"{where} token {index}", "at most 8000", length)
            text = data[at:at + length]
            at += length
            self.tokens.append(text)
            if text:
                require(text not in self.ids, "text", f"{where} token {index}", "a text of its own", text)
                self.ids[text] = index
        require(all(bytes([b]) in self.ids for b in range(256)), "tokens", where, "all single bytes", "not all")
        self.merges = {}
        for rank in range(merges):
            place = f"{where} merge {rank}"
            left, right, result = struct.unpack_from("<3I", data, merges_at + 12 * rank)
            require(max(left, right, result) < tokens, "ids", place, f"below {tokens}", (left, right, result))
            require(self.tokens[left] and self.tokens[right] and self.tokens[left] + self.tokens[right] == self.tokens[result],
                    "result", place, "the text of left and right", (left, right, result))
            require((left, right) not in self.merges, "pair", place, "one of its own", (left, right))
            self.merges[left, right] = rank, result
        self.added, last = {}, -1
        for index in range(added):
            place = f"{where} added token {index}"
            number, length, flag = struct.unpack_from("<3I", data, added_at + 12 * index)
            require(last < number < 1 << 31, "id", place, f"above {last}", number)
            last = number
            require(1 <= length <= 8000 and at + length <= len(data), "length", place, "1 ... 8000", length)
            require(flag < 16, "flags", place, "below 16", flag)
            text = data[at:at + length]
            at += length
            text.decode("utf-8")
            require(text not in [entry[0] for entry in self.added.values()], "text", place, "one of its own", text)
            require(number >= tokens or self.tokens[number] in (b"", text), "text", place, "that of the token", text)
            self.added[number] = text, flag
        require(at == len(data), "texts", where, "nothing after them", len(data) - at)
        require(begin == NONE or begin in self.added, "begin_id", where, "an added token or none", begin)
        self.special = {number for number, (_, flag) in self.added.items() if flag & 1}
        for (left, right), (rank, result) in self.merges.items():
            require(not self.special & {left, right, result}, "merge", f"{where} merge {rank}", "no special tokens", result)

    # Tok 1
    def encode(self, text, parse_special):
        data = text.encode("utf-8")
        matches = sorted(((t, n) for n, (t, flag) in self.added.items() if parse_special or not flag & 1),
                         key=lambda pair: -len(pair[0]))
        ids, start, at = [], 0, 0
        while at < len(data):
            found = next(((t, n) for t, n in matches if data.startswith(t, at)), None)
            if found:
                ids += self.words(data[start:at]) + [found[1]]
                at += len(found[0])
                start = at
            else:
                at += 1
        return ids + self.words(data[start:])

    def words(self, data):
        ids = []
        for word in split(data.decode("utf-8", "replace")):
            word = word.encode("utf-8")
            whole = self.ids.get(word)
            if self.whole_words and whole is not None and whole not in self.special:
                ids.append(whole)
                continue
            symbols = [self.ids[bytes([b])] for b in word]
            while True:
                best = min(((self.merges[pair][0], place) for place, pair in enumerate(zip(symbols, symbols[1:]))
                            if pair in self.merges), default=None)
                if best is None:
                    break
                place = best[1]
                symbols[place:place + 2] = [self.merges[symbols[place], symbols[place + 1]][1]]
            ids += symbols
        return ids

    def decode(self, ids):
        """Special tokens left out."""
        parts = [self.added[n][0] if n in self.added else self.tokens[n] for n in ids if n not in self.special]
        return b"".join(parts).decode("utf-8", "replace")


# Tok 2
def kind(character):
    if character in "\r\n":
        return "B"
    if ord(character) in (9, 11, 12, 0x20, 0x85, 0xA0, 0x1680, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000) \
            or 0x2000 <= ord(character) <= 0x200A:
        return "S"
    category = unicodedata.category(character)[0]
    return category if category in "LN" else "O"


def split(text):
    kinds = [kind(c) for c in text] + ["end"]

    def run(at, wanted):
        while kinds[at] in wanted and kinds[at] != "end":
            at += 1
        return at

    at, words = 0, []
    while at < len(text):
        first, second = kinds[at], kinds[at + 1]
        after = text[at + 1:at + 3].lower()
        if text[at] == "'" and (after[:1] in list("stmd") or text[at + 1:at + 2] == "\u017F"):
            end = at + 2
        elif text[at] == "'" and after in ("re", "ve", "ll"):
            end = at + 3
        elif first == "L" or first in "SO" and second == "L":
            end = run(at + 1, "L")
        elif first == "N":
            end = min(run(at, "N"), at + 3)
        elif first == "O" or text[at] == " " and second == "O":
            end = run(run(at + 1, "O"), "B")
        else:
            space = run(at, "SB")
            breaks = [place for place in range(at, space) if kinds[place] == "B"]
            end = breaks[-1] + 1 if breaks else space if kinds[space] == "end" or space == at + 1 else space - 1
        words.append(text[at:end])
        at = end
    return words


def is_known(text):
    """Whether this Python's Unicode tables are new enough for the text: Tok 2 goes by version 16."""
    version = tuple(map(int, unicodedata.unidata_version.split(".")))
    return version >= (16, 0, 0) or all(unicodedata.category(c) != "Cn" or ord(c) & 0xFFFE == 0xFFFE for c in text)
