#!/usr/bin/env python3
"""Writes Tests/Fixtures/golden-types: one small matrix as every storage type stores it, and what those bytes decode to.

    Tools/make_type_golden.py            after a change of Formats/StorageTypes.md, which says so in its version log
    Tools/make_type_golden.py --check    fails where the program or the independent reader gives anything else

The bytes come from `quern convert`, the SHA-256 of the values from reference_types.py, which was written from the document alone. Tests decode and
encode the same matrix on every instruction set.

Recipe of the matrix, 22 x 300 (two panels, the second of six rows; three superblocks, the last in part; two windows): SplitMix64 with seed 20 gives
eight signed bytes b per output, the lowest first, row after row. A value is b^3 / 2^(20 + 2 (row mod 5)), so rows differ in size and have heavy tails;
row 7 is zero; the value at row 3, column 130 is 64. F32 holds all of them, and F16 does not.

Needs numpy and zstandard.
"""
import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))
from reference_reader import QuernFile
from reference_types import TYPES_BY_NAME, decode_rows

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "Tests/Fixtures/golden-types"
ROWS, COLUMNS, SEED = 22, 300, 20
NAME = "model.layers.0.mlp.down_proj.weight"


def matrix():
    count = -(-ROWS * COLUMNS // 8)
    with np.errstate(over="ignore"):
        z = np.uint64(SEED) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    b = z.astype("<u8").view(np.int8)[:ROWS * COLUMNS].reshape(ROWS, COLUMNS).astype(np.float64)
    w = b**3 / 2.0 ** (20 + 2 * (np.arange(ROWS) % 5))[:, None]
    w[7] = 0
    w[3, 130] = 64
    assert (w == w.astype("<f4")).all()
    return w.astype("<f4")


def write_checkpoint(folder, w):
    """A model of one layer around the matrix; everything else is 1."""
    tokenizer = ROOT / "Tests/Fixtures/tiny-docs/tokenizer.model"
    (folder / "tokenizer.model").write_bytes(tokenizer.read_bytes())
    (folder / "config.json").write_text(json.dumps({
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu", "rms_norm_eps": 1e-5, "hidden_size": ROWS,
        "intermediate_size": COLUMNS, "num_hidden_layers": 1, "num_attention_heads": 1, "num_key_value_heads": 1, "vocab_size": 4096,
        "max_position_embeddings": 64, "rope_theta": 10000.0, "tie_word_embeddings": False, "torch_dtype": "float32"}))
    layer = "model.layers.0."
    shapes = {"model.embed_tokens.weight": (4096, ROWS), "lm_head.weight": (4096, ROWS), "model.norm.weight": (ROWS,),
              layer + "input_layernorm.weight": (ROWS,), layer + "post_attention_layernorm.weight": (ROWS,),
              layer + "mlp.gate_proj.weight": (COLUMNS, ROWS), layer + "mlp.up_proj.weight": (COLUMNS, ROWS), NAME: (ROWS, COLUMNS)}
    shapes |= {f"{layer}self_attn.{p}_proj.weight": (ROWS, ROWS) for p in "qkvo"}
    header, data = {}, bytearray()
    for name, shape in sorted(shapes.items()):
        values = w if name == NAME else np.ones(shape, "<f4")
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [len(data), len(data) + values.nbytes]}
        data += values.tobytes()
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    (folder / "model.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + data)


def main():
    parser = argparse.ArgumentParser(description="Writes or checks the golden bytes of every storage type.")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--quern", default=str(ROOT / ".build/release/quern"))
    options = parser.parse_args()
    golden = {"rows": ROWS, "columns": COLUMNS, "seed": SEED, "types": {}}
    files = {}
    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch)
        (scratch / "source").mkdir()
        w = matrix()
        write_checkpoint(scratch / "source", w)
        for name, kind in TYPES_BY_NAME.items():
            out = scratch / f"{name}.quern"
            # f32 is no type that --type offers for matrices; its bytes follow from the document
            if name == "f32":
                rows = np.concatenate([w, np.zeros((-ROWS % 16, COLUMNS), "<f4")])
                data, grids = rows.reshape(-1, 16, COLUMNS).transpose(0, 2, 1).tobytes(), None
            else:
                subprocess.run([options.quern, "convert", scratch / "source", "-o", out, "--type", name], check=True, capture_output=True)
                file = QuernFile(str(out))
                tensor = file.by_name[NAME]
                assert tensor.kind is kind and (tensor.rows, tensor.columns) == (ROWS, COLUMNS)
                data, grids = bytes(file.data(tensor)), tensor.grids if kind.grids else None
            values = np.concatenate(list(decode_rows(kind, data, ROWS, COLUMNS, grids)))
            files[f"{name}.bin"] = data
            golden["types"][name] = {
                "sha256": hashlib.sha256(np.ascontiguousarray(values, "<f4")).hexdigest(),
                "grids": grids.tobytes().hex() if grids is not None else None,
                "row_0": [float(v) for v in values[0, :4]],
                "relative_rmse": round(float(np.sqrt(((w - values.astype(np.float64)) ** 2).sum() / (w.astype(np.float64) ** 2).sum())), 8),
            }
    files["golden.json"] = (json.dumps(golden, indent=1) + "\n").encode()
    differing = [name for name, data in files.items() if not (FOLDER / name).exists() or (FOLDER / name).read_bytes() != data]
    if options.check:
        if differing:
            sys.exit(f"{FOLDER}: differs: {', '.join(differing)}")
    else:
        FOLDER.mkdir(exist_ok=True)
        for name, data in files.items():
            (FOLDER / name).write_bytes(data)
    for name, facts in golden["types"].items():
        print(f"{name:<4} {len(files[name + '.bin']):>6} bytes, relative RMSE {facts['relative_rmse']}")
    print(f"{len(files)} files, {len(differing)} {'differ' if options.check else 'changed'}")


if __name__ == "__main__":
    main()
