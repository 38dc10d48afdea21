#!/usr/bin/env python3
"""Independent reader of .quern files, written from Formats/QuernFile.md ("File"), Formats/StorageTypes.md ("Types")
and Formats/Tokenizers.md ("Tok") alone. It shares no code with the program, so that agreement of the two means something.

    reference_reader.py list FILE [--json]
    reference_reader.py verify FILE
    reference_reader.py decode FILE TENSOR [-o OUT]
    reference_reader.py decode FILE --all --digest
    reference_reader.py decode-raw --type T --rows R --columns C [--grids HEX] [-o OUT] FILE

OUT ending in .npy is a NumPy array, any other name gets plain little-endian float32, both [rows][columns].
Needs Python 3, numpy and, for whole files, zstandard.
"""
import argparse
import hashlib
import json
import math
import mmap
import os
import struct
import sys

import numpy as np

sys.dont_write_bytecode = True

import reference_tokenizer
from reference_command import run_command
from reference_types import Refusal, require, align, TYPES, TYPES_BY_NAME, decode_rows, nonfinite


# ---------------------------------------------------------------------------------------------------- Container

SECTIONS = ["data", "directory", "metadata", "tokenizer"]  # File 2
MIB = 1 << 20
LIMITS = {"directory": 64 * MIB, "metadata": 64 * MIB, "tokenizer": 256 * MIB}  # File 3
TOKENIZER_FILES = {  # File 7
    "tokenizer.model", "tokenizer.json", "tokenizer_config.json", "added_tokens.json", "special_tokens_map.json",
    "chat_template.jinja", "vocab.json", "merges.txt", "byte_level.vocabulary",
}
SOURCE_TYPES = {1: "F32", 2: "F16", 3: "BF16"}  # File 5


class Tensor:
    def __init__(self, **fields):
        self.__dict__.update(fields)

    def sqnr(self):  # File 5, after the table
        if self.signal == 0:
            return None
        return math.inf if self.noise == 0 else 10 * math.log10(self.signal / self.noise)


class QuernFile:
    """Opening checks what File 8 lists for opening."""

    def __init__(self, path):
        self.file = open(path, "rb")
        self.size = os.fstat(self.file.fileno()).st_size
        self.check_header()
        self.check_gaps()
        self.read_directory()
        self.metadata = self.read_metadata(self.content("metadata"))
        self.tokenizer, self.packed = self.read_tokenizer(self.content("tokenizer"))
        byte_level = "byte_level.vocabulary" in self.tokenizer
        require(byte_level == bool(self.features & 2), "bit 1 of required_features", "offset 16", byte_level, self.features)
        require(self.packed == ({"tokenizer.json"} if byte_level else set()), "encoding 1", "section tokenizer",
                "tokenizer.json beside byte_level.vocabulary", sorted(self.packed))
        self.vocabulary = reference_tokenizer.Vocabulary(self.tokenizer["byte_level.vocabulary"]) if byte_level else None
        self.map = mmap.mmap(self.file.fileno(), 0, access=mmap.ACCESS_READ)

    def read(self, offset, count):
        self.file.seek(offset)
        data = self.file.read(count)
        if len(data) != count:
            raise Refusal(f"file ends at {offset + len(data)}, {count} bytes wanted at {offset}")
        return data

    # File 3
    def check_header(self):
        magic = b"\x89QUERN\r\n"
        start = self.read(0, min(self.size, 4096))
        require(start[:8] == magic, "magic", "offset 0", magic.hex(" "), start[:8].hex(" "))
        if len(start) < 4096:
            raise Refusal(f"file has {self.size} bytes, the header alone has 4096: truncated")
        header = start
        version, header_bytes, features, file_bytes, section_count = struct.unpack_from("<IIQQI", header, 8)
        require(version == 1, "version", "offset 8", 1, version)
        require(file_bytes == self.size, "file_bytes", "offset 24", f"the real size, {self.size}",
                f"{file_bytes} ({'truncated' if file_bytes > self.size else 'extended'})")
        digest = hashlib.sha256(header[:4064]).digest()
        require(header[4064:] == digest, "header_sha256", "offset 4064", digest.hex(), header[4064:].hex())
        require(header_bytes == 4096, "header_bytes", "offset 12", 4096, header_bytes)
        if features & ~2:
            bits = [bit for bit in range(64) if (features & ~2) >> bit & 1]
            raise Refusal(f"required_features at offset 16: version 1 defines bit 1, found bits {bits}")
        self.features = features
        require(section_count == 4, "section_count", "offset 32", 4, section_count)
        require(not any(header[36:64]), "reserved", "offset 36", "28 zero bytes", header[36:64].hex())
        require(not any(header[320:4064]), "reserved", "offset 320", "3744 zero bytes", "others")

        self.sections = {}
        end = 4096
        for index, name in enumerate(SECTIONS):
            at = 64 + 64 * index
            kind, encoding, offset, stored, content = struct.unpack_from("<IIQQQ", header, at)
            where = f"offset {at} (section {name})"
            require(kind == index + 1, "kind", where, index + 1, kind)
            wanted = 0 if index < 2 else 1
            require(encoding == wanted, "encoding", where, wanted, encoding)
            place = 4096 if index == 0 else align(end, 64)  # File 2
            require(offset == place, "offset", where, place, offset)
            require(stored >= 1, "stored_bytes", where, "at least 1", stored)
            require(offset + stored <= self.size, "end of section", where, f"at most {self.size}", offset + stored)
            if encoding == 0:
                require(content == stored, "content_bytes", where, f"stored_bytes, {stored}", content)
            if name in LIMITS:
                require(content <= LIMITS[name], "content_bytes", where, f"at most {LIMITS[name]}", content)
            end = offset + stored
            self.sections[name] = dict(offset=offset, stored=stored, content=content, sha256=header[at + 32:at + 64])
        require(end == self.size, "end of the last section", "section table", f"end of file, {self.size}", end)

    # File 2: the bytes between sections are zero
    def check_gaps(self):
        for before, after in zip(SECTIONS, SECTIONS[1:]):
            start = self.sections[before]["offset"] + self.sections[before]["stored"]
            gap = self.read(start, self.sections[after]["offset"] - start)
            require(not any(gap), f"bytes between {before} and {after}", f"offset {start}", "zeros", gap.hex())

    def stored(self, name):
        section = self.sections[name]
        data = self.read(section["offset"], section["stored"])
        digest = hashlib.sha256(data).digest()
        require(digest == section["sha256"], "sha256", f"section {name}", section["sha256"].hex(), digest.hex())
        return data

    # File 4
    def content(self, name):
        return self.frame(self.stored(name), self.sections[name]["content"], f"section {name}")

    @staticmethod
    def frame(data, wanted, where):
        import zstandard  # only whole files need it
        try:
            require(data[:4] == b"\x28\xb5\x2f\xfd", "zstd magic", where, "28 b5 2f fd", data[:4].hex(" "))
            frame = zstandard.get_frame_parameters(data)
            require(frame.has_checksum, "zstd content checksum flag", where, "set", "not set")
            require(frame.dict_id == 0, "zstd dictionary", where, "none", frame.dict_id)
            if wanted is None:  # File 7: a file inside the tokenizer section
                require(frame.content_size <= 64 * MIB, "zstd content size", where, "at most 64 MiB", frame.content_size)
                wanted = frame.content_size
            require(frame.content_size == wanted, "zstd content size", where, wanted,
                    "none" if frame.content_size == zstandard.CONTENTSIZE_UNKNOWN else frame.content_size)
            content = zstandard.ZstdDecompressor().decompress(data, allow_extra_data=False)
        except zstandard.ZstdError as error:
            raise Refusal(f"{where}: {error}")
        require(len(content) == wanted, "decoded size", where, wanted, len(content))
        return content

    # File 5
    def read_directory(self):
        data = self.stored("directory")
        require(len(data) >= 16, "directory", "its start", "at least 16 bytes", len(data))
        count, record_bytes, name_bytes, reserved = struct.unpack_from("<IIII", data)
        require(1 <= count <= 65536, "tensor_count", "directory offset 0", "1 ... 65536", count)
        require(record_bytes == 256, "record_bytes", "directory offset 4", 256, record_bytes)
        require(reserved == 0, "reserved", "directory offset 12", 0, reserved)
        size = 16 + 256 * count + name_bytes
        require(len(data) == size, "stored_bytes", "section directory", size, len(data))
        names = data[16 + 256 * count:]
        self.tensors, self.by_name = [], {}
        name_end, data_end = 0, 4096
        for index in range(count):
            record = data[16 + 256 * index:272 + 256 * index]
            tensor = self.read_record(record, index, names, name_end, data_end)
            require(tensor.name not in self.by_name, "name", f"record {index}", "a unique one", repr(tensor.name))
            self.by_name[tensor.name] = tensor
            self.tensors.append(tensor)
            name_end += len(tensor.name.encode())
            data_end = tensor.offset + tensor.bytes
        require(name_end == name_bytes, "name_bytes", "directory offset 8", f"the names' sum, {name_end}", name_bytes)
        section = self.sections["data"]
        require(section["offset"] + section["stored"] == data_end, "end of section data", "section table",
                f"end of the last tensor, {data_end}", section["offset"] + section["stored"])

    def read_record(self, record, index, names, name_end, data_end):
        where = f"record {index}"
        name_offset, name_length, type_id, rank, source, reserved = struct.unpack_from("<IHHHHI", record)
        require(name_offset == name_end, "name_offset", where, name_end, name_offset)
        require(1 <= name_length <= 256, "name_length", where, "1 ... 256", name_length)
        require(name_offset + name_length <= len(names), "end of name", where, f"at most {len(names)}",
                name_offset + name_length)
        raw = names[name_offset:name_offset + name_length]
        try:
            name = raw.decode("utf-8")
        except UnicodeDecodeError:
            raise Refusal(f"name at {where}: expected UTF-8, found {raw.hex()}")
        require(all(byte >= 0x20 and byte != 0x7F for byte in raw), "name", where, "no control bytes", repr(name))
        where = f"record {index} ({name})"
        require(type_id in TYPES, "storage_type", where, f"one of {sorted(TYPES)}", type_id)
        kind = TYPES[type_id]
        require(rank in (1, 2), "rank", where, "1 or 2", rank)
        require(source in SOURCE_TYPES, "source_type", where, "1, 2 or 3", source)
        require(reserved == 0, "reserved", f"{where} offset 12", 0, reserved)
        rows, columns, offset, count = struct.unpack_from("<QQQQ", record, 16)
        require(1 <= rows <= 1 << 31, "rows", where, "1 ... 2^31", rows)
        require(1 <= columns <= 1 << 31, "columns", where, "1 ... 2^31", columns)
        require(rank == 2 or columns == 1, "columns", where, "1 for rank 1", columns)
        require(rows * columns <= 1 << 40, "rows x columns", where, "at most 2^40", rows * columns)
        place = align(data_end, 4096)
        require(offset == place, "offset", where, place, offset)
        size = kind.tensor_bytes(rows, columns)
        require(count == size, "bytes", where, size, count)
        signal, noise, stored, product, largest, worst = struct.unpack_from("<6d", record, 80)
        for field, value in [("signal", signal), ("noise", noise), ("stored", stored), ("product", product),
                             ("largest_error", largest), ("worst_row_ratio", worst)]:
            require(math.isfinite(value), field, where, "finite", value)
            require(field == "product" or value >= 0, field, where, "at least 0", value)
        worst_row, = struct.unpack_from("<Q", record, 128)
        require(worst_row < rows, "worst_row", where, f"below {rows}", worst_row)
        require(not any(record[136:144]), "reserved", f"{where} offset 136", "zero", record[136:144].hex())
        require(not any(record[208:256]), "reserved", f"{where} offset 208", "zero", record[208:256].hex())
        grids = np.frombuffer(record[144:208], np.uint8)
        if kind.grids:
            require(grids.min() >= 1 and grids.max() <= kind.largest_grid_byte, "grids", where,
                    f"values 1 ... {kind.largest_grid_byte}", record[144:208].hex())
        else:
            require(not grids.any(), "grids", where, "zero for this type", record[144:208].hex())
        return Tensor(name=name, kind=kind, rank=rank, source=SOURCE_TYPES[source], rows=rows, columns=columns,
                      offset=offset, bytes=count, sha256=record[48:80], signal=signal, noise=noise, stored=stored,
                      product=product, largest_error=largest, worst_row_ratio=worst, worst_row=worst_row, grids=grids)

    # File 6
    @staticmethod
    def read_metadata(content):
        def unique(pairs):
            found = {}
            for key, value in pairs:
                require(key not in found, "key", "metadata", "no duplicates", repr(key))
                found[key] = value
            return found

        def constant(text):
            raise Refusal(f"metadata: {text} is not JSON")

        try:
            document = json.loads(content.decode("utf-8"), object_pairs_hook=unique, parse_constant=constant)
        except (ValueError, RecursionError) as error:
            raise Refusal(f"metadata: not a JSON document in UTF-8: {error}")

        def check(condition, key, expected, value):
            require(condition, key, "metadata", expected, json.dumps(value)[:200])

        check(isinstance(document, dict), "document", "an object", document)
        get = document.get
        check(get("format") == "quern", "format", '"quern"', get("format"))
        generator = get("generator")
        check(isinstance(generator, dict) and all(isinstance(generator.get(k), str) for k in ("name", "version")),
              "generator", "name and version", generator)
        options = get("options")
        check(isinstance(options, dict) and all(
            isinstance(v, (str, int, float)) and not isinstance(v, bool) for v in options.values()),
            "options", "an object of strings and numbers", options)
        sources = get("sources")
        check(isinstance(sources, list), "sources", "an array", sources)
        for source in sources:
            check(isinstance(source, dict) and isinstance(source.get("name"), str)
                  and isinstance(source.get("bytes"), int) and not isinstance(source.get("bytes"), bool)
                  and source["bytes"] >= 0 and isinstance(source.get("sha256"), str) and len(source["sha256"]) == 64
                  and all(c in "0123456789abcdef" for c in source["sha256"]),
                  "sources", "name, bytes and a SHA-256 in hexadecimal", source)
        files = get("files")
        check(isinstance(files, dict) and isinstance(files.get("config.json"), str), "files", "config.json", files)
        check(isinstance(files.get("generation_config.json", ""), str), "files", "texts", files)
        if "calibration" in document:
            check(isinstance(document["calibration"], str), "calibration", "an id", document["calibration"])
        if "plan" in document:
            check(isinstance(document["plan"], dict), "plan", "an object", document["plan"])
        probes = document.get("tokenizer_probes", [{"text": "", "special": False, "ids": [], "decoded": ""}])
        check(isinstance(probes, list) and 1 <= len(probes) <= 256, "tokenizer_probes", "1 to 256", probes)
        for probe in probes:  # Tok 5
            check(isinstance(probe, dict) and isinstance(probe.get("text"), str) and len(probe["text"].encode()) <= 4096
                  and isinstance(probe.get("special"), bool) and isinstance(probe.get("decoded"), str)
                  and isinstance(probe.get("ids"), list)
                  and all(type(number) is int and 0 <= number < 1 << 31 for number in probe["ids"]),
                  "tokenizer_probes", "text, special, ids, decoded", probe)
        return document

    # File 7
    @staticmethod
    def read_tokenizer(content):
        where = "section tokenizer"
        require(len(content) >= 4, "content", where, "at least 4 bytes", len(content))
        count, = struct.unpack_from("<I", content)
        require(1 <= count <= 16, "file_count", where, "1 ... 16", count)
        at, files, packed = 4, {}, set()
        for _ in range(count):
            require(at + 16 <= len(content), "file header", f"{where} offset {at}", "16 bytes", len(content) - at)
            name_length, encoding, reserved, size = struct.unpack_from("<HHIQ", content, at)
            require(encoding in (0, 1), "encoding", f"{where} offset {at + 2}", "0 or 1", encoding)
            require(reserved == 0, "reserved", f"{where} offset {at + 4}", 0, reserved)
            at += 16
            require(at + name_length + size <= len(content), "file", f"{where} offset {at}",
                    f"{name_length + size} bytes", len(content) - at)
            raw = content[at:at + name_length]
            at += name_length
            name = raw.decode("utf-8", "backslashreplace")
            require(name in TOKENIZER_FILES, "file name", where, sorted(TOKENIZER_FILES), repr(name))
            require(name not in files, "file name", where, "a unique one", repr(name))
            files[name] = content[at:at + size]
            if encoding == 1:
                packed.add(name)
            at += size
        require(at == len(content), "end", where, f"nothing after offset {at}", f"{len(content) - at} bytes")
        return files, packed

    def data(self, tensor):
        return memoryview(self.map)[tensor.offset:tensor.offset + tensor.bytes]

    # File 8: what opening leaves out; Types 3: finite scales and values
    def verify(self):
        problems = []
        end = 4096
        for tensor in self.tensors:
            if any(self.map[end:tensor.offset]):
                problems.append(f"{tensor.name}: bytes {end} ..< {tensor.offset} before it are not zero")
            end = tensor.offset + tensor.bytes
            data = self.data(tensor)
            digest = hashlib.sha256(data).digest()
            if digest != tensor.sha256:
                problems.append(f"{tensor.name}: bytes {tensor.offset} ..< {end} have SHA-256 {digest.hex()}, "
                                f"the directory says {tensor.sha256.hex()}")
            bad = nonfinite(tensor.kind, data, tensor.columns)
            if bad:
                problems.append(f"{tensor.name}: {bad}")
        digest = hashlib.sha256(b"".join(t.sha256 for t in self.tensors)).digest()
        if digest != self.sections["data"]["sha256"]:
            problems.append(f"section data: the tensors' digests have SHA-256 {digest.hex()}, "
                            f"the header says {self.sections['data']['sha256'].hex()}")
        for name in self.packed:
            self.frame(self.tokenizer[name], None, f"tokenizer file {name}")
        return problems + self.verify_probes()

    # Tok 5, as far as no other file adds tokens and this Python knows the characters
    def verify_probes(self):
        config = json.loads(self.tokenizer.get("tokenizer_config.json", b"{}"))
        if not self.vocabulary or "added_tokens.json" in self.tokenizer or "added_tokens_decoder" in config:
            return []
        problems = []
        for probe in self.metadata.get("tokenizer_probes", []):
            text, ids = probe["text"], probe["ids"]
            if not reference_tokenizer.is_known(text):
                continue
            if self.vocabulary.encode(text, probe["special"]) != ids or self.vocabulary.decode(ids) != probe["decoded"]:
                problems.append(f"tokenizer_probes: {text!r} gives {self.vocabulary.encode(text, probe['special'])}, "
                                f"which reads {self.vocabulary.decode(ids)!r}; recorded are {ids} and {probe['decoded']!r}")
        return problems


# ----------------------------------------------------------------------------------------------------- Commands

def summary(file):
    def number(value):
        return value if value is not None and math.isfinite(value) else None

    meta = file.metadata
    return {
        "version": 1,
        "file_bytes": file.size,
        "sections": [{"name": name, "offset": s["offset"], "stored_bytes": s["stored"], "content_bytes": s["content"],
                      "sha256": s["sha256"].hex()} for name, s in file.sections.items()],
        "metadata": {**{k: meta[k] for k in ("generator", "options", "sources", "calibration", "plan") if k in meta},
                     "files": {name: len(text.encode()) for name, text in meta["files"].items()
                               if isinstance(text, str)}},
        "tokenizer": {name: len(data) for name, data in file.tokenizer.items()},
        "tensors": [{
            "name": t.name, "type": t.kind.name, "source_type": t.source,
            "shape": [t.rows] if t.rank == 1 else [t.rows, t.columns], "offset": t.offset, "bytes": t.bytes,
            "sha256": t.sha256.hex(), "signal": t.signal, "noise": t.noise, "stored": t.stored, "product": t.product,
            "largest_error": t.largest_error, "worst_row_ratio": t.worst_row_ratio, "worst_row": t.worst_row,
            "sqnr_db": number(t.sqnr()), "grids": t.grids.tobytes().hex() if t.kind.grids else None,
        } for t in file.tensors],
    }


def run_list(options):
    file = QuernFile(options.file)
    document = summary(file)
    if options.json:
        print(json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False))
        return
    width = max(len(t["name"]) for t in document["tensors"])
    for t, tensor in zip(document["tensors"], file.tensors):
        sqnr = tensor.sqnr()
        loss = "-" if sqnr is None else "exact" if math.isinf(sqnr) else f"{sqnr:.2f} dB"
        shape = " x ".join(map(str, t["shape"]))
        print(f"{t['name']:<{width}}  {t['type']:<4} {shape:>16}  {t['bytes']:>14}  {loss:>10}")
    print()
    for s in document["sections"]:
        print(f"section {s['name']:<10} at {s['offset']}, {s['stored_bytes']} bytes stored, {s['content_bytes']} decoded")
    for key, value in {**document["metadata"], "tokenizer": document["tokenizer"]}.items():
        print(f"{key}: {json.dumps(value, ensure_ascii=False)}")
    print(f"{len(document['tensors'])} tensors, {document['file_bytes']} bytes")


def run_verify(options):
    file = QuernFile(options.file)
    problems = file.verify()
    if problems:
        raise Refusal("\n".join(problems))
    print(f"{len(file.tensors)} tensors, {file.size} bytes: all as written")


def put_out(parts, rows, columns, out):
    """Writes or shows the rows; returns their SHA-256."""
    digest = hashlib.sha256()
    kept = np.empty((rows, columns), "<f4") if out and out.endswith(".npy") else None
    raw = open(out, "wb") if out and kept is None else None
    at = 0
    for part in parts:
        plain = np.ascontiguousarray(part, "<f4")
        digest.update(plain)
        if raw:
            raw.write(plain)
        if kept is not None:
            kept[at:at + len(plain)] = plain
        at += len(plain)
    if kept is not None:
        np.save(out, kept)
    if raw:
        raw.close()
    return digest.hexdigest()


def run_decode(options):
    if bool(options.tensor) == options.all:
        raise Refusal("decode wants either a tensor's name or --all")
    if options.all and options.out:
        raise Refusal("-o takes one tensor, not --all")
    file = QuernFile(options.file)
    if options.tensor and options.tensor not in file.by_name:
        raise Refusal(f"no tensor named {options.tensor}; list shows the names")
    for tensor in file.tensors if options.all else [file.by_name[options.tensor]]:
        parts = decode_rows(tensor.kind, file.data(tensor), tensor.rows, tensor.columns, tensor.grids)
        if options.all or options.digest or options.out:
            print(put_out(parts, tensor.rows, tensor.columns, options.out), tensor.name)
        else:
            for part in parts:
                print(part)


def run_decode_raw(options):
    kind = TYPES_BY_NAME[options.type]
    if options.rows < 1 or options.columns < 1:
        raise Refusal("rows and columns must be at least 1")
    with open(options.file, "rb") as file:
        data = file.read()
    size = kind.tensor_bytes(options.rows, options.columns)
    require(len(data) == size, "size", options.file, f"{size} for {options.rows} x {options.columns} {kind.name}", len(data))
    grids = None
    if kind.grids:
        try:
            raw = bytes.fromhex(options.grids or "")
        except ValueError:
            raw = b""
        require(len(raw) == 64, "--grids", "the command line", "128 hexadecimal digits", options.grids)
        grids = np.frombuffer(raw, np.uint8)
        require(grids.min() >= 1 and grids.max() <= kind.largest_grid_byte, "grids", "the command line",
                f"values 1 ... {kind.largest_grid_byte}", options.grids)
    parts = decode_rows(kind, data, options.rows, options.columns, grids)
    print(put_out(parts, options.rows, options.columns, options.out))


def main():
    parser = argparse.ArgumentParser(description="Independent reader of .quern files.")
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("list", help="tensors, sections, metadata")
    command.add_argument("file")
    command.add_argument("--json", action="store_true")
    command.set_defaults(run=run_list)
    command = commands.add_parser("verify", help="check every byte")
    command.add_argument("file")
    command.set_defaults(run=run_verify)
    command = commands.add_parser("decode", help="a tensor's values as float32")
    command.add_argument("file")
    command.add_argument("tensor", nargs="?")
    command.add_argument("-o", "--out")
    command.add_argument("--all", action="store_true")
    command.add_argument("--digest", action="store_true", help="print the SHA-256 of the values only")
    command.set_defaults(run=run_decode)
    command = commands.add_parser("decode-raw", help="a tensor's bytes without a container")
    command.add_argument("file")
    command.add_argument("--type", required=True, choices=TYPES_BY_NAME)
    command.add_argument("--rows", type=int, required=True)
    command.add_argument("--columns", type=int, required=True)
    command.add_argument("--grids", help="64 bytes in hexadecimal")
    command.add_argument("-o", "--out")
    command.set_defaults(run=run_decode_raw)
    run_command(parser)


if __name__ == "__main__":
    main()
