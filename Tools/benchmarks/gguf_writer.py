#!/usr/bin/env python3
"""Writes a LLaMA checkpoint (safetensors, Hugging Face layout) as an fp16 GGUF file for llama.cpp.

    gguf_writer.py FOLDER OUT.gguf

Plain LLaMA with a SentencePiece tokenizer only. Needs the packages gguf, numpy and sentencepiece.
"""
import json
import os
import struct
import sys
from pathlib import Path

import gguf
import numpy as np
import sentencepiece


class Refusal(Exception):
    """The checkpoint is not one that this writer can take: what, where, expected, found."""


class Checkpoint:
    """Config and tensors of a folder; a tensor is mapped when it is asked for."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.config = json.loads((self.folder / "config.json").read_text())
        self.places = {}
        shards = sorted(self.folder.glob("*.safetensors"))
        for shard in (s for s in shards if s.name != "logits.safetensors"):
            with open(shard, "rb") as file:
                length = struct.unpack("<Q", file.read(8))[0]
                header = json.loads(file.read(length))
            for name, entry in header.items():
                if name != "__metadata__":
                    self.places[name] = (shard, 8 + length, entry)

    def tensor(self, name):
        """The values as an array [rows][columns] or [values]: a map of the file for F16 and F32, a copy for BF16."""
        if name not in self.places:
            raise Refusal(f"{self.folder}: no tensor {name}")
        shard, start, entry = self.places[name]
        kinds = {"F16": "<f2", "F32": "<f4", "BF16": "<u2"}
        if entry["dtype"] not in kinds:
            raise Refusal(f"{shard}: type of {name}: expected F16, BF16 or F32, found {entry['dtype']}")
        values = np.memmap(shard, kinds[entry["dtype"]], "r", start + entry["data_offsets"][0], tuple(entry["shape"]))
        if entry["dtype"] == "BF16":
            return (values.astype("<u4") << 16).view("<f4")
        return values


def interleaved(weight, heads):
    """Rows of q or k in the order of llama.cpp: it rotates neighbours (2j, 2j + 1), the checkpoint halves (j, j + d/2)."""
    rows, columns = weight.shape
    return np.ascontiguousarray(weight.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns))


def tensors(config):
    """(name in GGUF, name in the checkpoint, heads to interleave or None), in the file's order."""
    heads = config["num_attention_heads"]
    key_heads = config.get("num_key_value_heads") or heads
    yield "token_embd.weight", "model.embed_tokens.weight", None
    for layer in range(config["num_hidden_layers"]):
        for name, source, permuted in (
                ("attn_norm", "input_layernorm", None), ("attn_q", "self_attn.q_proj", heads), ("attn_k", "self_attn.k_proj", key_heads),
                ("attn_v", "self_attn.v_proj", None), ("attn_output", "self_attn.o_proj", None),
                ("ffn_norm", "post_attention_layernorm", None), ("ffn_gate", "mlp.gate_proj", None), ("ffn_up", "mlp.up_proj", None),
                ("ffn_down", "mlp.down_proj", None)):
            yield f"blk.{layer}.{name}.weight", f"model.layers.{layer}.{source}.weight", permuted
    yield "output_norm.weight", "model.norm.weight", None
    if not config.get("tie_word_embeddings"):
        yield "output.weight", "lm_head.weight", None


def add_shape(writer, config):
    for key, expected in (("model_type", ("llama",)), ("rope_scaling", (None,)), ("attention_bias", (None, False)), ("mlp_bias", (None, False))):
        if config.get(key) not in expected:
            raise Refusal(f"config.json: {key}: expected {' or '.join(map(str, expected))}, found {config[key]}")
    heads = config["num_attention_heads"]
    head_size = config.get("head_dim") or config["hidden_size"] // heads
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(config.get("num_key_value_heads") or heads)
    writer.add_key_length(head_size)
    writer.add_value_length(head_size)
    writer.add_rope_dimension_count(head_size)
    writer.add_rope_freq_base(config.get("rope_theta", 10000.0))
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_vocab_size(config["vocab_size"])
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)


def add_tokenizer(writer, folder, config):
    path = Path(folder) / "tokenizer.model"
    if not path.exists():
        raise Refusal(f"{path}: not there, and the vocabulary is taken from it")
    model = sentencepiece.SentencePieceProcessor(model_file=str(path))
    kinds = gguf.TokenType
    texts, scores, types = [], [], []
    for token in range(config["vocab_size"]):
        known = token < model.vocab_size()
        texts.append((model.id_to_piece(token) if known else f"[unused {token}]").encode())
        scores.append(model.get_score(token) if known else -10000.0)
        types.append(kinds.UNUSED if not known or model.is_unused(token) else kinds.UNKNOWN if model.is_unknown(token)
                     else kinds.CONTROL if model.is_control(token) else kinds.BYTE if model.is_byte(token) else kinds.NORMAL)
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(texts)
    writer.add_token_scores(scores)
    writer.add_token_types(types)
    writer.add_bos_token_id(config["bos_token_id"])
    writer.add_eos_token_id(config["eos_token_id"])
    writer.add_unk_token_id(model.unk_id())
    writer.add_add_bos_token(True)
    writer.add_add_eos_token(False)


def stored(checkpoint, source, permuted):
    """The array that goes into the file: norms as f32, matrices as fp16."""
    values = checkpoint.tensor(source)
    if values.ndim == 1:
        return np.ascontiguousarray(values, "<f4")
    return np.ascontiguousarray(interleaved(values, permuted) if permuted else values, "<f2")


def write(folder, out):
    checkpoint = Checkpoint(folder)
    partial = f"{out}.partial"
    writer = gguf.GGUFWriter(partial, "llama")
    writer.add_name(Path(folder).resolve().name)
    add_shape(writer, checkpoint.config)
    add_tokenizer(writer, folder, checkpoint.config)
    plan = list(tensors(checkpoint.config))
    for name, source, _ in plan:
        shape = checkpoint.tensor(source).shape
        kind = np.dtype("<f4" if len(shape) == 1 else "<f2")
        writer.add_tensor_info(name, shape, kind, int(np.prod(shape)) * kind.itemsize)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for _, source, permuted in plan:
        writer.write_tensor_data(stored(checkpoint, source, permuted))
    writer.close()
    os.replace(partial, out)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    try:
        write(sys.argv[1], sys.argv[2])
    except (Refusal, OSError, KeyError, ValueError) as error:
        sys.exit(f"gguf_writer: {sys.argv[1]}: {error}")
