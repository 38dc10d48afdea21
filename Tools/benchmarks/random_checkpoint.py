#!/usr/bin/env python3
"""Writes a LLaMA checkpoint with random fp16 weights in Hugging Face layout, to measure speed and memory with.

    random_checkpoint.py FOLDER                the shape of TinyLlama-1.1B, 2.2 GB
    random_checkpoint.py FOLDER --hidden 256 --intermediate 768 --layers 2 --heads 4 --kv-heads 2 --vocabulary 4096

The vocabulary is synthetic. The same arguments give the same bytes. Needs nothing but Python 3.
"""
import argparse
import itertools
import json
import math
import os
import random
import statistics
import struct
import string
import sys
from pathlib import Path

# Rows of the embedding and the head are written in parts of this many bytes.
PART = 16 << 20


def tensor_shapes(options):
    """Name -> shape, in the order of the file."""
    key_values = options.hidden // options.heads * options.kv_heads
    yield "model.embed_tokens.weight", (options.vocabulary, options.hidden)
    for layer in range(options.layers):
        prefix = f"model.layers.{layer}."
        yield prefix + "input_layernorm.weight", (options.hidden,)
        yield prefix + "self_attn.q_proj.weight", (options.hidden, options.hidden)
        yield prefix + "self_attn.k_proj.weight", (key_values, options.hidden)
        yield prefix + "self_attn.v_proj.weight", (key_values, options.hidden)
        yield prefix + "self_attn.o_proj.weight", (options.hidden, options.hidden)
        yield prefix + "post_attention_layernorm.weight", (options.hidden,)
        yield prefix + "mlp.gate_proj.weight", (options.intermediate, options.hidden)
        yield prefix + "mlp.up_proj.weight", (options.intermediate, options.hidden)
        yield prefix + "mlp.down_proj.weight", (options.hidden, options.intermediate)
    yield "model.norm.weight", (options.hidden,)
    yield "lm_head.weight", (options.vocabulary, options.hidden)


def high_bytes(columns):
    """256 high bytes (sign, exponent, two bits of the mantissa) of fp16 values whose spread is that of a trained matrix:
    near a Gaussian, with heavier tails. With a random low byte each they fill the range."""
    deviation = 1 / (2.5 * math.sqrt(columns))
    table = bytearray()
    for index in range(256):
        gaussian = statistics.NormalDist().inv_cdf((index + 0.5) / 256)
        value = gaussian * (1 + 0.1 * gaussian * gaussian) / 1.3 * deviation
        table.append(struct.pack("<e", value)[1])
    return bytes(table)


def random_matrix(generator, count, columns):
    """Parts of `count` fp16 values, little-endian."""
    table = high_bytes(columns)
    left = 2 * count
    while left:
        part = bytearray(generator.randbytes(min(left, PART)))
        part[1::2] = part[1::2].translate(table)
        left -= len(part)
        yield part


def write_weights(path, options):
    shapes = list(tensor_shapes(options))
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for name, shape in shapes:
        size = 2 * math.prod(shape)
        header[name] = {"dtype": "F16", "shape": list(shape), "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    generator = random.Random(options.seed)
    one = struct.pack("<e", 1)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for _, shape in shapes:
            parts = [one * shape[0]] if len(shape) == 1 else random_matrix(generator, math.prod(shape), shape[1])
            for part in parts:
                file.write(part)


def varint(number):
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def field(number, payload):
    """A protobuf field: bytes are length-delimited, a float takes 32 bits, an int is a varint."""
    if isinstance(payload, bytes):
        return varint(number << 3 | 2) + varint(len(payload)) + payload
    if isinstance(payload, float):
        return varint(number << 3 | 5) + struct.pack("<f", payload)
    return varint(number << 3) + varint(payload)


def pieces(count):
    """(text, type) of a vocabulary of this size: unknown 2, control 3, byte 6, normal 1."""
    yield from (("<unk>", 2), ("<s>", 3), ("</s>", 3))
    yield from ((f"<0x{byte:02X}>", 6) for byte in range(256))
    words = itertools.chain.from_iterable(itertools.product(string.ascii_lowercase, repeat=length) for length in itertools.count(1))
    texts = itertools.chain("▁", itertools.chain.from_iterable((word, "▁" + word) for word in map("".join, words)))
    yield from ((text, 1) for text in itertools.islice(texts, count - 259))


def write_tokenizer(path, count):
    """tokenizer.model of SentencePiece: byte-pair, scores fall with the index, bytes as a fallback."""
    model = bytearray()
    for index, (text, kind) in enumerate(pieces(count)):
        score = float(-(index - 259)) if kind == 1 else 0.0
        model += field(1, field(1, text.encode()) + field(2, score) + field(3, kind))
    model += field(2, field(3, 2) + field(4, count) + field(35, 1))  # model_type BPE, vocab_size, byte_fallback
    model += field(3, field(1, b"identity") + field(3, 1) + field(4, 0) + field(5, 1))  # dummy prefix, keep and escape spaces
    path.write_bytes(model)


def write_config(path, options):
    path.write_text(json.dumps({
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu", "hidden_size": options.hidden,
        "intermediate_size": options.intermediate, "num_hidden_layers": options.layers, "num_attention_heads": options.heads,
        "num_key_value_heads": options.kv_heads, "vocab_size": options.vocabulary, "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
        "rope_scaling": None, "max_position_embeddings": options.context, "tie_word_embeddings": False, "torch_dtype": "float16",
        "bos_token_id": 1, "eos_token_id": 2}, indent=1) + "\n")


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    for name, default in (("hidden", 2048), ("intermediate", 5632), ("layers", 22), ("heads", 32), ("kv-heads", 4),
                          ("vocabulary", 32000), ("context", 4096), ("seed", 1)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    if min(value for value in vars(options).values() if isinstance(value, int)) < 1 or options.vocabulary < 300 \
            or options.hidden % options.heads or options.heads % options.kv_heads:
        parser.error("sizes must be positive, the vocabulary at least 300, heads a divisor of hidden, kv-heads of heads")
    return options


def main():
    options = parse()
    final = Path(options.folder)
    if final.exists():
        sys.exit(f"{final}: exists, expected a new folder; choose another or remove it")
    folder = final.with_name(final.name + ".partial")
    folder.mkdir(parents=True, exist_ok=True)
    write_config(folder / "config.json", options)
    (folder / "tokenizer_config.json").write_text(json.dumps(
        {"tokenizer_class": "LlamaTokenizer", "add_bos_token": True, "add_eos_token": False, "legacy": True}) + "\n")
    write_tokenizer(folder / "tokenizer.model", options.vocabulary)
    write_weights(folder / "model.safetensors", options)
    os.rename(folder, final)


if __name__ == "__main__":
    main()
