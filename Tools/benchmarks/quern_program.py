"""The program quern, as the benchmark drivers use it: conversion, `bench`, memory and start of `run`."""
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tables import ROOT

# A prefill is one batch from an empty cache, a decode one token at a time after `depth` positions.
PREFILL = {"kind": "prefill", "tokens": 512, "depth": 0}


def decode(depth):
    return {"kind": "decode", "tokens": 64, "depth": depth}


class Failure(Exception):
    """A program ended with an error; its own words."""


def say(text):
    print(text, file=sys.stderr, flush=True)


def output_of(command, **options):
    """Standard output of a command that must succeed."""
    result = subprocess.run(command, capture_output=True, text=True, **options)
    if result.returncode != 0:
        lines = (result.stderr or result.stdout).strip().splitlines()
        raise Failure(f"{' '.join(map(str, command[:3]))} ...: exit code {result.returncode}: {' / '.join(lines[-5:])}")
    return result.stdout


def default_program():
    return ROOT / ".build" / "release" / "quern"


def cache_folder():
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "quern"


def default_checkpoint():
    return cache_folder() / "random-1.1b"


def need_checkpoint(folder):
    """Makes a checkpoint with random weights where there is none."""
    if not folder.exists():
        say(f"{folder}: making a checkpoint of 1.1 billion random weights, 2.2 GB")
        output_of([sys.executable, str(ROOT / "Tools/benchmarks/random_checkpoint.py"), str(folder)])
    if not (folder / "config.json").exists():
        raise Failure(f"{folder}: expected a checkpoint with config.json, found none; name a folder that does not exist to have one made")


def checkpoint_time(folder):
    """When the newest of the files that a conversion reads was written."""
    return max(path.stat().st_mtime for path in Path(folder).iterdir() if path.is_file())


class Quern:
    """One program and the folder for the files that it makes of one checkpoint."""

    def __init__(self, program, checkpoint, work, threads):
        self.program, self.checkpoint, self.work, self.threads = Path(program), Path(checkpoint), Path(work), threads
        if not os.access(self.program, os.X_OK):
            raise Failure(f"{self.program}: no program there; build it with: swift build -c release --product quern")
        self.work.mkdir(parents=True, exist_ok=True)

    def file(self, kind):
        return self.work / f"{kind}.quern"

    def convert(self, kind):
        """Converts to the storage type; seconds of wall time and the peak of resident memory in bytes."""
        start = time.perf_counter()
        command = [str(self.program), "convert", str(self.checkpoint), "--type", kind, "-o", str(self.file(kind)), "--threads", str(self.threads)]
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        words = child.stderr.read()
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode != 0:
            raise Failure(f"quern convert --type {kind}: exit code {child.returncode}: {words.strip()}")
        return {"seconds": time.perf_counter() - start, "resident_bytes": usage.ru_maxrss * 1024}

    def need(self, kind):
        """Converts unless a file of this program and this checkpoint is there."""
        path = self.file(kind)
        if not path.exists() or path.stat().st_mtime < max(self.program.stat().st_mtime, checkpoint_time(self.checkpoint)):
            say(f"converting to {kind}")
            self.convert(kind)
        return path

    def bench(self, kind, jobs, runs, instruction_set=None):
        """The report of `quern bench` about these jobs; its results in the order of the jobs."""
        prompts = sorted({job["tokens"] for job in jobs if job["kind"] == "prefill"}) or [0]
        depths = sorted({job["depth"] for job in jobs if job["kind"] == "decode"})
        generated = max((job["tokens"] for job in jobs if job["kind"] == "decode"), default=0)
        positions = max(job["depth"] + job["tokens"] for job in jobs)
        command = [str(self.program), "bench", str(self.file(kind)), "--json", "--threads", str(self.threads), "--runs", str(runs),
                   "--prompt-tokens", ",".join(map(str, prompts)), "--generated-tokens", str(generated), "--context", str(positions)]
        if depths:
            command += ["--depths", ",".join(map(str, depths))]
        environment = dict(os.environ, **({"QUERN_FORCE_ISA": instruction_set} if instruction_set else {}))
        report = json.loads(output_of(command, env=environment))
        found = {(result["kind"], result["tokens"], result["depth"]): result for result in report["results"]}
        report["results"] = [found[job["kind"], job["tokens"], job["depth"]] for job in jobs]
        return report

    def instruction_sets(self):
        """Best first."""
        found = re.search(r"\(available: ([^;)]*)", output_of([str(self.program), "inspect", "--machine"]))
        return found.group(1).replace(",", " ").split() if found else []

    def prompt(self, tokens):
        """A text of this many tokens, begin token included, for this checkpoint's vocabulary."""
        words = ("the patient was seen on day two and the dose of it was left as it is for a week or more " * (tokens // 4)).strip()

        def count(length):
            return len(output_of([str(self.program), "tokenize", str(self.checkpoint)], input=words[:length]).split())

        low, high = 1, len(words)  # count(low) <= tokens < count(high)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if count(middle) <= tokens else (low, middle)
        return words[:low], count(low)

    def run_memory(self, kind, prompt_tokens=512, generated=32):
        """Largest anonymous memory of `run`, in bytes, with the cache as large as prompt and answer need and no larger."""
        text, found = self.prompt(prompt_tokens)
        config = json.loads((self.checkpoint / "config.json").read_text())
        heads = config["num_attention_heads"]
        head_size = config.get("head_dim") or config["hidden_size"] // heads
        positions = found + generated
        cache = positions * 2 * config["num_hidden_layers"] * (config.get("num_key_value_heads") or heads) * head_size * 2
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as prompt:
            prompt.write(text)
            prompt.flush()
            child = subprocess.Popen(
                [str(self.program), "run", str(self.file(kind)), "--prompt-file", prompt.name, "-n", str(generated), "--ignore-end",
                 "--context", str(positions), "--threads", str(self.threads), "--kv", "f16"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            peak = 0
            while child.poll() is None:
                peak = max(peak, anonymous(child.pid))
                time.sleep(0.002)
            words = child.stderr.read().decode().strip()
        if child.returncode != 0:
            raise Failure(f"quern run {kind}: exit code {child.returncode}: {words}")
        return {"anonymous_bytes": peak, "cache_bytes": cache, "beyond_cache_bytes": peak - cache, "positions": positions}

    def start_time(self, kind):
        """Seconds from the start of `run` to its first byte of text, for a prompt of a few tokens."""
        command = [str(self.program), "run", str(self.file(kind)), "-p", "the dose", "-n", "8", "--ignore-end", "--threads", str(self.threads)]
        start = time.perf_counter()
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
            first = child.stdout.read(1)
            seconds = time.perf_counter() - start
            _, words = child.communicate()
        if child.returncode != 0 or not first:
            raise Failure(f"quern run {kind}: exit code {child.returncode}: {words.decode().strip()}")
        return seconds


def anonymous(pid):
    """Anonymous resident memory of a process in bytes; 0 when it is gone."""
    try:
        found = re.search(r"RssAnon:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
        return int(found.group(1)) * 1024 if found else 0
    except OSError:
        return 0
