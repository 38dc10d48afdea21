#!/usr/bin/env python3
"""Runs llama.cpp through the package llama-cpp-python; each command writes one JSON object to standard output.

    llama_cpp_runner.py version
    llama_cpp_runner.py quantize IN.gguf OUT.gguf --type Q4_K_M --threads 2
    llama_cpp_runner.py measure FILE.gguf --threads 2 --jobs '[{"kind": "prefill", "tokens": 512, "depth": 0, "flash": true}]'
    llama_cpp_runner.py check FILE.gguf --golden Tests/Fixtures/tiny-docs

measure: prefill is one batch of `tokens` into an empty cache, decode is one token at a time after `depth` positions. Tokens are
random and nothing is sampled. check: the share of places where the likeliest token is that of transformers in fp32.
"""
import argparse
import contextlib
import ctypes
import json
import os
import random
import struct
import sys
import time
from pathlib import Path

import llama_cpp
import numpy as np

BATCH = 512


@llama_cpp.llama_log_callback
def quiet(level, text, _):
    if level == 4:  # an error; a continued line has level 5
        os.write(2, text)


class Model:
    """A loaded file: mapped, on the processor, weights repacked where llama.cpp wants that."""

    def __init__(self, path):
        parameters = llama_cpp.llama_model_default_params()
        parameters.n_gpu_layers = 0
        if hasattr(parameters, "use_mmap"):
            parameters.use_mmap = True
        else:
            parameters.load_mode = llama_cpp.LLAMA_LOAD_MODE_MMAP
        self.handle = llama_cpp.llama_model_load_from_file(os.fsencode(path), parameters)
        if not self.handle:
            sys.exit(f"{path}: llama.cpp cannot load it")
        self.vocabulary = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(self.handle))

    @contextlib.contextmanager
    def context(self, positions, threads, flash):
        parameters = llama_cpp.llama_context_default_params()
        parameters.n_ctx = -(-positions // 256) * 256
        parameters.n_batch = parameters.n_ubatch = BATCH
        parameters.n_threads = parameters.n_threads_batch = threads
        parameters.flash_attn_type = llama_cpp.LLAMA_FLASH_ATTN_TYPE_ENABLED if flash else llama_cpp.LLAMA_FLASH_ATTN_TYPE_DISABLED
        parameters.no_perf = True
        handle = llama_cpp.llama_init_from_model(self.handle, parameters)
        if not handle:
            sys.exit(f"llama.cpp cannot make a context of {positions} positions")
        try:
            yield Context(handle, self.vocabulary)
        finally:
            llama_cpp.llama_free(handle)


class Context:
    def __init__(self, handle, vocabulary):
        self.handle, self.vocabulary = handle, vocabulary
        self.random = random.Random(1)

    def clear(self):
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(self.handle), True)

    def decode(self, batch):
        code = llama_cpp.llama_decode(self.handle, batch)
        if code != 0:
            sys.exit(f"llama_decode: expected 0, found {code}")

    def fill(self, count):
        """Random tokens after what is there, in full batches; the last token's logits."""
        tokens = [self.random.randrange(self.vocabulary) for _ in range(count)]
        for at in range(0, count, BATCH):
            part = tokens[at:at + BATCH]
            array = (llama_cpp.llama_token * len(part))(*part)  # the batch holds a pointer only
            self.decode(llama_cpp.llama_batch_get_one(array, len(part)))
        llama_cpp.llama_synchronize(self.handle)

    def speed(self, job):
        """Tokens per second."""
        self.clear()
        self.fill(job["depth"])
        start = time.perf_counter()
        if job["kind"] == "prefill":
            self.fill(job["tokens"])
        else:
            for _ in range(job["tokens"]):
                self.fill(1)
        return job["tokens"] / (time.perf_counter() - start)

    def logits(self, ids):
        """[ids][vocabulary] after each of the ids."""
        self.clear()
        batch = llama_cpp.llama_batch_init(len(ids), 0, 1)
        batch.n_tokens = len(ids)
        for index, token in enumerate(ids):
            batch.token[index], batch.pos[index], batch.logits[index] = token, index, 1
            batch.n_seq_id[index], batch.seq_id[index][0] = 1, 0
        self.decode(batch)
        rows = llama_cpp.llama_get_logits(self.handle)
        found = np.ctypeslib.as_array(rows, shape=(len(ids), self.vocabulary)).copy()
        llama_cpp.llama_batch_free(batch)
        return found


def run_measure(options):
    model = Model(options.file)
    jobs = json.loads(options.jobs)
    speeds = [0.0] * len(jobs)
    for flash in sorted({job["flash"] for job in jobs}):
        chosen = [index for index, job in enumerate(jobs) if job["flash"] == flash]
        with model.context(max(jobs[index]["depth"] + jobs[index]["tokens"] for index in chosen), options.threads, flash) as context:
            context.fill(min(BATCH, max(jobs[index]["tokens"] for index in chosen)))  # a warm-up
            context.speed({"kind": "decode", "tokens": 2, "depth": 0})
            for index in chosen:
                speeds[index] = context.speed(jobs[index])
    return {"speeds": speeds}


def run_quantize(options):
    parameters = llama_cpp.llama_model_quantize_default_params()
    parameters.nthread = options.threads
    parameters.ftype = getattr(llama_cpp, f"LLAMA_FTYPE_MOSTLY_{options.type}")
    start = time.perf_counter()
    code = llama_cpp.llama_model_quantize(os.fsencode(options.file), os.fsencode(options.output), ctypes.byref(parameters))
    if code != 0:
        sys.exit(f"{options.file}: llama_model_quantize: expected 0, found {code}")
    return {"seconds": time.perf_counter() - start}


def read_golden(folder):
    with open(Path(folder) / "logits.safetensors", "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        data = file.read()
    arrays = [np.frombuffer(data[slice(*header[name]["data_offsets"])], kind).reshape(header[name]["shape"])
              for name, kind in (("ids", "<i4"), ("logits", "<f4"))]
    return json.loads((Path(folder) / "golden.json").read_text())["greedy"], *arrays


def run_check(options):
    texts, ids, expected = read_golden(options.golden)
    same = places = 0
    with Model(options.file).context(BATCH, options.threads, True) as context:
        found = context.logits(ids.tolist())
        for text in texts:
            given = text["ids"] + text["greedy"]
            best = context.logits(given[:-1]).argmax(axis=1)[len(text["ids"]) - 1:]
            same += int((best == text["greedy"]).sum())
            places += len(text["greedy"])
    return {"same_top": same + int((found.argmax(axis=1) == expected.argmax(axis=1)).sum()), "places": places + len(ids),
            "largest_difference": float(np.abs(found - expected).max()), "root_mean_square_difference": float(np.sqrt(np.square(found - expected).mean()))}


def run_version(_):
    return {"llama_cpp_python": llama_cpp.__version__, "system": llama_cpp.llama_print_system_info().decode()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, run in (("version", run_version), ("quantize", run_quantize), ("measure", run_measure), ("check", run_check)):
        command = commands.add_parser(name)
        command.set_defaults(run=run)
        if name != "version":
            command.add_argument("file")
            command.add_argument("--threads", type=int, default=2)
        if name == "quantize":
            command.add_argument("output")
            command.add_argument("--type", required=True)
        if name == "measure":
            command.add_argument("--jobs", required=True)
        if name == "check":
            command.add_argument("--golden", required=True)
    options = parser.parse_args()
    llama_cpp.llama_log_set(quiet, None)
    llama_cpp.llama_backend_init()
    print(json.dumps(options.run(options)))


if __name__ == "__main__":
    main()
