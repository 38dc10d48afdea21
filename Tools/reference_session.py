#!/usr/bin/env python3
"""Independent reader of session files, written from Formats/SessionFile.md ("Session") alone. It shares no code with the program.

    reference_session.py verify FILE [--model MODEL.quern]
    reference_session.py compare FILE OTHER     relative RMS difference of keys and of values, as far as the tokens are the same

Needs Python 3 and numpy.
"""
import argparse
import json
import struct
import sys

import numpy as np

sys.dont_write_bytecode = True

from reference_command import run_command, sha256
from reference_types import align, require

ELEMENTS = {1: ("f16", "<f2"), 2: ("f32", "<f4"), 3: ("q8", "i1")}  # Session 3


class Session:
    def __init__(self, path):
        with open(path, "rb") as file:
            data = file.read()
        self.read_header(data)
        self.read_text(data)
        self.read_cache(data[self.cache_offset :])

    # Session 3
    def read_header(self, data):
        require(data[:8] == b"\x89QSES\r\n\x1a", "magic", "0", "89 51 53 45 53 0D 0A 1A", data[:8].hex(" "))
        require(len(data) >= 256, "size", "end", "at least 256 bytes", len(data))
        version, header_bytes, features, file_bytes = struct.unpack_from("<IIQQ", data, 8)
        require(version == 1, "version", "8", 1, version)
        require(file_bytes == len(data), "file_bytes", "24", len(data), file_bytes)
        require(sha256(data[:224]) == data[224:256], "header_sha256", "224", sha256(data[:224]).hex(), data[224:256].hex())
        require(features == 0, "required_features", "16", 0, features)
        require(header_bytes == 256, "header_bytes", "12", 256, header_bytes)
        element, self.layers, self.heads, self.head_size, self.positions, precision = struct.unpack_from("<6I", data, 32)
        require(element in ELEMENTS, "element", "32", "1, 2 or 3", element)
        self.element, self.dtype = ELEMENTS[element]
        for name, value, low, high in (
            ("layers", self.layers, 1, 1024), ("heads", self.heads, 1, 65536), ("head_size", self.head_size, 1, 65536),
            ("positions", self.positions, 0, 1 << 20), ("precision", precision, 0, 1),
        ):
            require(low <= value <= high, name, "header", f"{low} ... {high}", value)
        self.metadata_bytes, self.cache_offset = struct.unpack_from("<QQ", data, 56)
        require(2 <= self.metadata_bytes <= 1 << 26, "metadata_bytes", "56", "2 ... 67108864", self.metadata_bytes)
        expected = align(256 + 4 * self.positions + self.metadata_bytes, 4096)
        require(self.cache_offset == expected, "cache_offset", "64", expected, self.cache_offset)
        require(not any(data[72:96]) and not any(data[192:224]), "reserved bytes", "72, 192", "zero", "others")
        self.model, self.text_sha256, self.cache_sha256 = data[96:128], data[128:160], data[160:192]
        self.width, self.groups = align(self.head_size, 32), align(self.positions, 16) // 16
        size = {"f16": 2, "f32": 4, "q8": 1}[self.element]
        self.head_bytes = 32 * self.groups * self.width * size + (4 * self.groups * self.width if self.element == "q8" else 0)  # Session 6
        expected = self.cache_offset + self.layers * self.heads * self.head_bytes
        require(expected == len(data), "size", "end", expected, len(data))

    # Session 4, 5
    def read_text(self, data):
        text = data[256 : self.cache_offset]
        require(sha256(text) == self.text_sha256, "text_sha256", "128", self.text_sha256.hex(), sha256(text).hex())
        end = 4 * self.positions
        self.tokens = np.frombuffer(text, "<i4", self.positions)
        require((self.tokens >= 0).all(), "tokens", "256", "0 or more", self.tokens.min() if self.positions else 0)
        self.metadata = json.loads(text[end : end + self.metadata_bytes].decode())
        require(self.metadata.get("format") == "quern-session", "format", "metadata", "quern-session", self.metadata.get("format"))
        require(not any(text[end + self.metadata_bytes :]), "padding", "metadata", "zeros", "others")

    # Session 6: keys and values as [layer][head][position][component]
    def read_cache(self, cache):
        require(sha256(cache) == self.cache_sha256, "cache_sha256", "160", self.cache_sha256.hex(), sha256(cache).hex())
        g, w = self.groups, self.width
        self.keys = np.zeros((self.layers, self.heads, 16 * g, w), np.float32)
        self.values = np.zeros_like(self.keys)
        for layer in range(self.layers):
            for head in range(self.heads):
                at = (layer * self.heads + head) * self.head_bytes

                def part(dtype, *shape):
                    nonlocal at
                    array = np.frombuffer(cache, dtype, int(np.prod(shape)), at).reshape(shape).astype(np.float32)
                    at += array.size * np.dtype(dtype).itemsize
                    require(np.isfinite(array).all(), "values", f"layer {layer}, head {head}", "finite", "others")
                    return array

                keys = part(self.dtype, g, w, 16)
                values = part(self.dtype, 16 * g, w)
                if self.element == "q8":
                    keys = keys * np.repeat(part("<f4", g, w // 32, 16), 32, axis=1)
                    scales = part("<f4", g, w // 32, 16).transpose(0, 2, 1).reshape(16 * g, w // 32)
                    values = values * np.repeat(scales, 32, axis=1)
                self.keys[layer, head] = keys.transpose(0, 2, 1).reshape(16 * g, w)
                self.values[layer, head] = values
        for name, array in (("keys", self.keys), ("values", self.values)):
            require(not array[:, :, self.positions :].any(), name, f"positions from {self.positions}", "zero", "others")
            require(not array[..., self.head_size :].any(), name, f"components from {self.head_size}", "zero", "others")
            filled = array[:, :, : self.positions].any(axis=3)
            require(filled.all(), name, "filled positions", "other than zero", "zeros")


def run_verify(options):
    session = Session(options.file)
    if options.model:
        with open(options.model, "rb") as file:
            found = file.read(4096)[4064:]
        require(found == session.model, "model", "96", session.model.hex(), found.hex())
    print(
        f"{options.file}: whole: {session.positions} positions, {session.layers} layers x {session.heads} heads x {session.head_size}, "
        f"{session.element}, model {session.model.hex()[:12]}")
    print("tokens", *session.tokens)


def run_compare(options):
    one, two = Session(options.file), Session(options.other)
    count = min(one.positions, two.positions)
    differing = np.flatnonzero(one.tokens[:count] != two.tokens[:count])
    count = int(differing[0]) if differing.size else count
    require(count > 0, "tokens", options.other, f"a beginning in common with {options.file}", "none")
    print(f"tokens {count}")
    for name in ("keys", "values"):
        a, b = (getattr(session, name)[:, :, :count].astype(np.float64) for session in (one, two))
        print(f"{name} {np.sqrt(((a - b) ** 2).sum() / (a**2).sum()):.3g}")


def main():
    parser = argparse.ArgumentParser(description="Independent reader of session files.")
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("verify", help="check every byte")
    command.add_argument("file")
    command.add_argument("--model", help="the .quern file that it must belong to")
    command.set_defaults(run=run_verify)
    command = commands.add_parser("compare", help="two sessions that begin with the same tokens")
    command.add_argument("file")
    command.add_argument("other")
    command.set_defaults(run=run_compare)
    run_command(parser)


if __name__ == "__main__":
    main()
