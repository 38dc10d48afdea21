#!/usr/bin/env python3
"""Computes Tests/Fixtures/made-llama with transformers: logits and greedy tokens of small models with seeded random weights.

The weights are not kept. Any program makes them again from the recipe below (Tests/TestSupport/MadeLlama.swift does), exactly: they are small
integers times a power of two, which F16, BF16 and F32 all hold. So no rounding lies between the model computed here and the one that is tested.

Recipe. A tensor's numbers come from SplitMix64, whose seed is the model's seed xor the FNV-1a hash (64 bits) of the tensor's name. Each output gives
eight signed bytes, the lowest first. A vector's value is (128 + floor(byte / 4)) / 128. A matrix's value is byte / 2^e; e is 10 for the embedding, else
the least integer from 6 on for which 4^(e - 6) is at least the number of columns. Tied models have no lm_head.

    python3 -m venv venv && venv/bin/pip install torch transformers safetensors
    venv/bin/python Tools/make_llama3_fixtures.py

Only this script needs these packages. The same versions write the same files; others may differ in the last bits of the logits."""
import json
import math
from pathlib import Path

import torch
import transformers
from safetensors.torch import save_file

FOLDER = Path(__file__).resolve().parent.parent / "Tests/Fixtures/made-llama"
MASK = (1 << 64) - 1
FIRST_ID = 259  # behind the special and the byte tokens of a small tokenizer
TOKENS, KEPT_FIRST, KEPT_LAST = 150, 8, 24
PROMPT, GREEDY = 20, 48

BASE = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu", "rms_norm_eps": 1e-5, "attention_bias": False,
    "mlp_bias": False, "attention_dropout": 0.0, "initializer_range": 0.02, "pretraining_tp": 1, "use_cache": True, "bos_token_id": 1,
}
# The original context of the scaled models is short, so that the scaling shows within a few tokens.
MODELS = {
    # Llama-3.2-1B in small: tied, llama3 scaling, several end tokens.
    "tied-llama3-rope": (100, "BF16", BASE | {
        "hidden_size": 64, "intermediate_size": 160, "num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16,
        "vocab_size": 320, "max_position_embeddings": 512, "rope_theta": 500000.0, "tie_word_embeddings": True, "torch_dtype": "bfloat16",
        "rope_scaling": {"factor": 8.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0, "original_max_position_embeddings": 64, "rope_type": "llama3"},
    }),
    # The older spelling of a scaling, as in LLaMA-2 models with long context; every head has keys of its own.
    "untied-linear-rope": (200, "F16", BASE | {
        "hidden_size": 64, "intermediate_size": 144, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 320,
        "max_position_embeddings": 256, "tie_word_embeddings": False, "torch_dtype": "float16", "rope_scaling": {"type": "linear", "factor": 4.0},
    }),
    # transformers 5's spelling, heads wider than hidden / heads, sizes that are no multiples of a panel.
    "wide-heads": (300, "BF16", BASE | {
        "hidden_size": 48, "intermediate_size": 136, "num_hidden_layers": 2, "num_attention_heads": 3, "num_key_value_heads": 1, "head_dim": 24,
        "vocab_size": 333, "max_position_embeddings": 256, "tie_word_embeddings": False, "dtype": "bfloat16",
        "rope_parameters": {"rope_theta": 500000.0, "rope_type": "default"},
    }),
}


def split_mix(seed):
    state = seed
    while True:
        state = (state + 0x9E3779B97F4A7C15) & MASK
        z = state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        yield z ^ (z >> 31)


def fnv1a(text):
    value = 0xCBF29CE484222325
    for byte in text.encode():
        value = ((value ^ byte) * 0x100000001B3) & MASK
    return value


def weights(name, shape, seed):
    count = math.prod(shape)
    data = bytearray()
    for word in split_mix(seed ^ fnv1a(name)):
        data += word.to_bytes(8, "little")
        if len(data) >= count:
            break
    numbers = torch.frombuffer(data, dtype=torch.int8)[:count].to(torch.float32).reshape(shape)
    if len(shape) == 1:
        return (128 + torch.floor(numbers / 4)) / 128
    exponent = 6
    while 4 ** (exponent - 6) < shape[1]:
        exponent += 1
    if name == "model.embed_tokens.weight":
        exponent = 10  # less than what the layers add, so that tied models do not repeat a token for ever
    return numbers / 2**exponent


def model_of(config, seed, folder):
    """The model as transformers builds it from the config.json that Quern will read."""
    path = folder / "config.json"
    path.write_text(json.dumps(config))
    parsed = transformers.AutoConfig.from_pretrained(folder)
    path.unlink()
    parsed._attn_implementation = "eager"
    model = transformers.LlamaForCausalLM(parsed).to(torch.float32).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(weights(name, list(parameter.shape), seed))
    return model


def greedy(model, prompt, count):
    """Tokens and the least distance of a likeliest token from the second."""
    tokens, margin = [], math.inf
    step, cache = torch.tensor([prompt]), None
    for _ in range(count):
        output = model(step, cache=cache, use_cache=True)
        cache, best = output.past_key_values, output.logits[0, -1].topk(2)
        margin = min(margin, float(best.values[0] - best.values[1]))
        tokens.append(int(best.indices[0]))
        step = torch.tensor([tokens[-1:]])
    return tokens, margin


def varied(config, seed):
    """The model of the first seed from this one on whose greedy text is no loop and hangs on no rounding."""
    while True:
        words = split_mix(seed)
        ids = [FIRST_ID + next(words) % (config["vocab_size"] - FIRST_ID) for _ in range(TOKENS)]
        ids[0] = config["bos_token_id"]
        model = model_of(config | {"eos_token_id": 2}, seed, FOLDER)
        tokens, margin = greedy(model, ids[:PROMPT], GREEDY)
        if margin > 3e-3 and len(set(tokens)) > GREEDY * 2 // 3:
            return seed, ids, model, tokens, margin
        seed += 1


@torch.no_grad()
def main():
    torch.set_num_threads(1)
    FOLDER.mkdir(parents=True, exist_ok=True)
    tensors, models = {}, []
    for name, (seed, dtype, config) in MODELS.items():
        seed, ids, model, tokens, margin = varied(config, seed)
        logits = model(torch.tensor([ids])).logits[0]
        rows = list(range(KEPT_FIRST)) + list(range(TOKENS - KEPT_LAST, TOKENS))
        tensors[name] = logits[rows].contiguous()
        # The end tokens, the last of which the greedy text meets for the first time somewhere behind its tenth token.
        end = next(token for place, token in enumerate(tokens) if place >= 10 and token not in tokens[:place])
        config = config | {"eos_token_id": end if name == "wide-heads" else [2, end]}
        model = model_of(config, seed, FOLDER)
        answer = model.generate(
            torch.tensor([ids[:PROMPT]]), attention_mask=torch.ones(1, PROMPT), do_sample=False, max_new_tokens=GREEDY, pad_token_id=0,
            eos_token_id=config["eos_token_id"])[0, PROMPT:].tolist()
        assert answer[:-1] == tokens[: len(answer) - 1] and answer[-1] == end
        frequencies = model.model.rotary_emb.inv_freq
        models.append({
            "name": name, "seed": seed, "dtype": dtype, "config": config, "ids": ids, "rows": rows, "prompt_tokens": PROMPT, "greedy": tokens,
            "answer": answer[:-1], "end": end, "inverse_frequencies": [float(value) for value in frequencies],
        })
        print(f"{name}: seed {seed}, margin {margin:.4f}, logits {float(logits.std()):.2f} +-, answer of {len(answer) - 1} tokens")
    save_file(tensors, FOLDER / "logits.safetensors")
    lines = ",\n".join(json.dumps(model) for model in models)
    made_by = f"transformers {transformers.__version__}, torch {torch.__version__}, float32"
    (FOLDER / "golden.json").write_text(f'{{"made_by": {json.dumps(made_by)}, "models": [\n{lines}\n]}}\n')


main()
