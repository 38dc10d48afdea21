"""llama.cpp as a peer: its Python package in an environment of its own, its GGUF files, its speed in child processes."""
import json
import os
import subprocess
import sys
from pathlib import Path

from quern_program import Failure, cache_folder, checkpoint_time, output_of, say
from tables import ROOT

FOLDER = ROOT / "Tools" / "benchmarks"
TYPES = ("Q4_0", "Q4_K_M", "Q8_0")
# Native flags; the image library that the package also builds is not needed.
CMAKE_ARGS = "-DGGML_NATIVE=ON -DCMAKE_BUILD_TYPE=Release -DLLAVA_BUILD=OFF"


def environment_folder():
    return cache_folder() / "peers"


def python():
    return environment_folder() / "bin" / "python"


def is_installed():
    return python().exists() and subprocess.run([str(python()), "-c", "import gguf, llama_cpp, numpy, sentencepiece"], capture_output=True).returncode == 0


def install(version):
    """Builds the package from its source package for this processor. Takes minutes."""
    folder = environment_folder()
    say(f"{folder}: an environment for llama-cpp-python, built from source with {CMAKE_ARGS}; this takes minutes")
    environment = dict(os.environ)
    environment["CMAKE_ARGS"] = f"{environment.get('CMAKE_ARGS', '')} {CMAKE_ARGS}".strip()
    environment.setdefault("CMAKE_BUILD_PARALLEL_LEVEL", str(os.cpu_count() or 1))
    package = f"llama-cpp-python=={version}" if version else "llama-cpp-python"
    pip = [str(python()), "-m", "pip", "install"]
    for command in ([sys.executable, "-m", "venv", str(folder)], [*pip, "gguf", "numpy", "sentencepiece"],
                    [*pip, "--upgrade", "--no-cache-dir", "--no-binary", "llama-cpp-python", package]):
        if subprocess.run(command, env=environment, stdout=sys.stderr).returncode != 0:
            raise Failure(f"{' '.join(command)}: failed; it needs a C++ compiler and a package index that pip can reach")


def child(*arguments):
    """The JSON object that the runner writes."""
    return json.loads(output_of([str(python()), str(FOLDER / "llama_cpp_runner.py"), *map(str, arguments)]))


def version():
    found = child("version")
    features = [part.split("=")[0].strip() for part in found["system"].replace("CPU :", "").split("|") if part.strip().endswith("= 1")]
    return f"llama-cpp-python {found['llama_cpp_python']}", features


class Files:
    """GGUF files of one checkpoint, made when they are missing or older than the checkpoint."""

    def __init__(self, checkpoint, work, threads):
        self.checkpoint, self.work, self.threads = Path(checkpoint), Path(work), threads
        self.work.mkdir(parents=True, exist_ok=True)
        self.quantize_seconds = {}

    def file(self, kind):
        return self.work / f"{kind}.gguf"

    def is_fresh(self, path):
        return path.exists() and path.stat().st_mtime >= checkpoint_time(self.checkpoint)

    def need_f16(self):
        path = self.file("F16")
        if not self.is_fresh(path):
            say(f"writing {path}")
            output_of([str(python()), str(FOLDER / "gguf_writer.py"), str(self.checkpoint), str(path)])
        return path

    def need(self, kind):
        path = self.file(kind)
        if not self.is_fresh(path):
            source = self.need_f16()
            say(f"quantizing to {kind}")
            partial = path.with_suffix(".partial")
            self.quantize_seconds[kind] = child("quantize", source, partial, "--type", kind, "--threads", self.threads)["seconds"]
            partial.replace(path)
        return path


def check_writer(work, threads):
    """Whether llama.cpp computes from our GGUF file what transformers computed from the checkpoint: a line about it."""
    golden = ROOT / "Tests" / "Fixtures" / "tiny-docs"
    path = work / "tiny-docs-F16.gguf"
    output_of([str(python()), str(FOLDER / "gguf_writer.py"), str(golden), str(path)])
    found = child("check", path, "--golden", golden, "--threads", threads)
    path.unlink()
    line = (f"tiny-docs in llama.cpp (F16): the likeliest token is that of transformers in {found['same_top']} of {found['places']} places, "
            f"logits within {found['largest_difference']:.4f}")
    if found["same_top"] < 0.99 * found["places"] or found["largest_difference"] > 0.05:
        raise Failure(f"{line}; expected 99 % and 0.05: the GGUF writer and this llama.cpp do not agree, so a comparison means nothing")
    return line


class LlamaCpp:
    """One GGUF file in llama.cpp, with flash attention where that is faster."""

    def __init__(self, path, threads):
        self.path, self.threads = path, threads
        self.flash = {}

    def choose_flash(self, jobs, forced):
        """Sets for each job whether flash attention is used: as told, or by one trial of both."""
        if forced is not None:
            self.flash = {key(job): forced for job in jobs}
            return
        speeds = {flash: self.speeds([{**job, "flash": flash} for job in jobs]) for flash in (False, True)}
        self.flash = {key(job): speeds[True][index] >= speeds[False][index] for index, job in enumerate(jobs)}

    def speeds(self, jobs):
        return child("measure", self.path, "--threads", self.threads, "--jobs", json.dumps(jobs))["speeds"]

    def measure(self, jobs):
        """Tokens per second of each job."""
        return self.speeds([{**job, "flash": self.flash[key(job)]} for job in jobs])


def key(job):
    return job["kind"], job["tokens"], job["depth"]


class LlamaBench:
    """One GGUF file in another program that takes the options of llama-bench, with the options that its user gave."""

    def __init__(self, command, path, threads):
        self.command, self.path, self.threads = command, path, threads

    def measure(self, jobs):
        """Tokens per second of each job."""
        return [self.speed(job) for job in jobs]

    def speed(self, job):
        work = ["-p", job["tokens"], "-n", 0] if job["kind"] == "prefill" else ["-p", 0, "-n", job["tokens"]]
        if job["depth"]:
            work = ["-p", 0, "-n", 0, "-gp", f"{job['depth']},{job['tokens']}"]
        found = json.loads(output_of([*self.command, "-m", str(self.path), "-t", str(self.threads), "-r", "1", "-o", "json", *map(str, work)]))
        return found[-1]["avg_ts"]
