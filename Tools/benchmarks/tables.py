"""Spreads of measurements, Markdown tables, and what a table must say about where its numbers come from."""
import datetime
import platform
import statistics
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


class Spread:
    """Repeated measurements of one thing: median, smallest, largest."""

    def __init__(self, values):
        self.values = list(values)
        self.median, self.smallest, self.largest = statistics.median(self.values), min(self.values), max(self.values)

    def text(self, digits=None):
        """'47.1 (46.0...48.2)'; values that all look the same stand alone."""
        median, smallest, largest = (number(value, digits) for value in (self.median, self.smallest, self.largest))
        return median if smallest == largest else f"{median} ({smallest}...{largest})"

    def document(self):
        return {"median": self.median, "min": self.smallest, "max": self.largest, "values": self.values}


def number(value, digits=None):
    """Three figures or more."""
    if digits is None:
        digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:.{digits}f}"


def markdown(header, rows):
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [header, ["---"] * len(header), *rows])


def processor():
    names = [line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
             if line.startswith(("model name", "CPU part"))] if Path("/proc/cpuinfo").exists() else []
    return f"{names[0] if names else platform.machine()}, {len(names) or 'unknown'} processors"


def commit(program):
    """The commit of this folder, '+ changes' when tracked files differ from it; the path of a program from elsewhere."""
    if ROOT not in Path(program).resolve().parents:
        return f"unknown ({program})"
    try:
        git = ["git", "-C", str(ROOT)]
        found = subprocess.run([*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
        changed = subprocess.run([*git, "status", "--porcelain", "--untracked-files=no"], capture_output=True, text=True, check=True).stdout
        return found + (" + changes" if changed.strip() else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def today():
    return datetime.date.today().isoformat()
