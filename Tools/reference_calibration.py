#!/usr/bin/env python3
"""Independent reader of calibration files, written from Formats/CalibrationFile.md ("Cal") alone. It shares no code with the program.

    reference_calibration.py verify FILE                       check every byte
    reference_calibration.py compare FILE CHECKPOINT TOKENS    compute the first layer's query_key_value anew in float64 and compare

TOKENS is a text file of token ids, window after window: the file's tokens_sha256 must name them. The first layer's input follows from the embedding and
the weights of its norm alone, so that a dozen lines compute it. Needs Python 3 and numpy.
"""
import argparse
import json
import struct
import sys
from pathlib import Path

import numpy as np

sys.dont_write_bytecode = True

from reference_command import run_command, sha256
from reference_types import Refusal, align, require

INPUTS = {1: "query_key_value", 2: "attention_output", 3: "gate_up", 4: "down", 5: "output_head"}  # Cal 1
FORMS = {1: "diagonal", 2: "hessian"}  # Cal 4
NO_LAYER = 0xFFFFFFFF


class Calibration:
    def __init__(self, path):
        data = Path(path).read_bytes()
        self.read_header(data)
        self.read_metadata(data)
        self.read_entries(data)

    # Cal 3
    def read_header(self, data):
        require(data[:8] == b"\x89QCAL\r\n\x1a", "magic", "0", "89 51 43 41 4C 0D 0A 1A", data[:8].hex(" "))
        require(len(data) >= 256, "size", "end", "at least 256 bytes", len(data))
        version, header_bytes, features, file_bytes, self.count, entry_bytes = struct.unpack_from("<IIQQII", data, 8)
        require(version == 1, "version", "8", 1, version)
        require(sha256(data[:224]) == data[224:256], "header_sha256", "224", sha256(data[:224]).hex(), data[224:256].hex())
        require(file_bytes == len(data), "file_bytes", "24", len(data), file_bytes)
        require(header_bytes == 256, "header_bytes", "12", 256, header_bytes)
        require(features == 0, "required_features", "16", 0, features)
        require(1 <= self.count <= 65536, "entry_count", "32", "1 ... 65536", self.count)
        require(entry_bytes == 96, "entry_bytes", "36", 96, entry_bytes)
        self.metadata_offset, self.metadata_bytes, self.data_offset = struct.unpack_from("<QQQ", data, 40)
        require(self.metadata_offset == 256 + 96 * self.count, "metadata_offset", "40", 256 + 96 * self.count, self.metadata_offset)
        require(2 <= self.metadata_bytes <= 1 << 20, "metadata_bytes", "48", "2 ... 1048576", self.metadata_bytes)
        expected = align(self.metadata_offset + self.metadata_bytes, 4096)
        require(self.data_offset == expected, "data_offset", "56", expected, self.data_offset)
        require(not any(data[64:192]), "reserved bytes", "64", "zero", "others")
        self.id = data[192:224]
        found = sha256(data[256:self.data_offset])
        require(found == self.id, "id", "192", self.id.hex(), found.hex())

    # Cal 6
    def read_metadata(self, data):
        end = self.metadata_offset + self.metadata_bytes
        self.metadata = json.loads(data[self.metadata_offset:end].decode())
        require(self.metadata.get("format") == "quern-calibration", "format", "metadata", "quern-calibration", self.metadata.get("format"))
        require(not any(data[end:self.data_offset]), "padding", str(end), "zeros", "others")

    # Cal 4, 5
    def read_entries(self, data):
        self.entries, last, at = {}, None, self.data_offset
        columns_of = {}
        for index in range(self.count):
            where = f"entry {index}"
            record = data[256 + 96 * index:][:96]
            number, layer, columns, form, offset, size, tokens = struct.unpack_from("<IIIIQQQ", record)
            require(number in INPUTS, "input", where, "1 ... 5", number)
            require(form in FORMS, "form", where, "1 or 2", form)
            require((layer == NO_LAYER) == (number == 5) and (layer < 1024 or number == 5), "layer", where, "0 ... 1023; none for output_head alone", layer)
            require(1 <= columns <= 1 << 24, "columns", where, "1 ... 16777216", columns)
            require(columns_of.setdefault((layer, number), columns) == columns, "columns", where, columns_of[layer, number], columns)
            require(tokens >= 1, "tokens", where, "at least 1", tokens)
            require(not any(record[40:64]), "reserved bytes", where, "zero", "others")
            key = (layer, number, form)
            require(last is None or last < key, "order", where, f"after {last}", key)
            last = key
            expected = 4 * columns if form == 1 else 2 * columns * (columns + 1)
            require(size == expected, "bytes", where, expected, size)
            start = align(at, 64)
            require(offset == start, "offset", where, start, offset)
            require(not any(data[at:start]), "padding", where, "zeros", "others")
            at = offset + size
            require(at <= len(data), "end", where, f"at most {len(data)}", at)
            values = data[offset:at]
            require(sha256(values) == record[64:96], "sha256", where, record[64:96].hex(), sha256(values).hex())
            floats = np.frombuffer(values, "<f4")
            require(np.isfinite(floats).all(), "values", where, "finite", "others")
            require(form == 2 or (floats >= 0).all(), "values", where, "none negative", "a negative one")
            self.entries[INPUTS[number], None if layer == NO_LAYER else layer, FORMS[form]] = (columns, tokens, floats)
        require(at == len(data), "size", "end", at, len(data))
        for (name, layer, form), (columns, _, floats) in self.entries.items():
            diagonal = self.entries.get((name, layer, "diagonal"))
            if form == "hessian" and diagonal:
                starts = np.concatenate([[0], np.cumsum(np.arange(columns, 1, -1))])  # row i has K - i values
                error = np.abs(floats[starts] - diagonal[2]).max()
                limit = 1e-4 * max(1e-30, float(diagonal[2].max()))
                require(error <= limit, "hessian's diagonal", f"{name}, layer {layer}", f"the diagonal within {limit:.3g}", f"{error:.3g} off")


def read_tensor(folder, name):
    """A tensor of a safetensors checkpoint as float64."""
    for path in sorted(Path(folder).glob("*.safetensors")):
        with open(path, "rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(length))
            if name in header:
                start, end = header[name]["data_offsets"]
                file.seek(8 + length + start)
                raw = file.read(end - start)
                if header[name]["dtype"] == "BF16":
                    values = (np.frombuffer(raw, "<u2").astype(np.uint32) << 16).view(np.float32)
                else:
                    values = np.frombuffer(raw, {"F16": "<f2", "F32": "<f4"}[header[name]["dtype"]])
                return values.astype(np.float64).reshape(header[name]["shape"])
    raise Refusal(f"{folder}: no tensor {name}")


def run_verify(options):
    file = Calibration(options.file)
    forms = [form for _, _, form in file.entries]
    print(f"{options.file}: whole: {forms.count('diagonal')} diagonals, {forms.count('hessian')} Hessians, id {file.id.hex()}")


def run_compare(options):
    file = Calibration(options.file)
    ids = np.array(Path(options.tokens).read_text().split(), "<i4")
    digest = sha256(ids.tobytes()).hex()
    require(digest == file.metadata["tokens_sha256"], "tokens_sha256", "metadata", digest, file.metadata["tokens_sha256"])
    config = json.loads((Path(options.checkpoint) / "config.json").read_text())
    x = read_tensor(options.checkpoint, "model.embed_tokens.weight")[ids]
    x = x / np.sqrt((x**2).mean(axis=1, keepdims=True) + config["rms_norm_eps"])
    x = x * read_tensor(options.checkpoint, "model.layers.0.input_layernorm.weight")
    hessian = x.T @ x / len(x)
    columns, tokens, diagonal = file.entries["query_key_value", 0, "diagonal"]
    require(tokens == len(ids), "tokens", "query_key_value, layer 0", len(ids), tokens)
    print(f"diagonal {np.abs(diagonal - np.diag(hessian)).max() / np.diag(hessian).max():.3g}")
    if ("query_key_value", 0, "hessian") in file.entries:
        stored = file.entries["query_key_value", 0, "hessian"][2]
        print(f"hessian {np.abs(stored - hessian[np.triu_indices(columns)]).max() / np.abs(hessian).max():.3g}")


def main():
    parser = argparse.ArgumentParser(description="Independent reader of calibration files.")
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("verify", help="check every byte")
    command.add_argument("file")
    command.set_defaults(run=run_verify)
    command = commands.add_parser("compare", help="the first entry, computed anew")
    command.add_argument("file")
    command.add_argument("checkpoint")
    command.add_argument("tokens")
    command.set_defaults(run=run_compare)
    run_command(parser)


if __name__ == "__main__":
    main()
