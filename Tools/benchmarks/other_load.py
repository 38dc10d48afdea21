"""How much of the processors other programs used while something was measured."""
import os
import resource
import time
from pathlib import Path


def busy_seconds():
    """Processor time that all programs, the kernel and the hypervisor's other guests took since the start of the system."""
    user, nice, system, _, _, interrupts, soft, stolen = map(int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9])
    return (user + nice + system + interrupts + soft + stolen) / os.sysconf("SC_CLK_TCK")


def own_seconds():
    """Processor time of this program and of its children that ended."""
    return sum(usage.ru_utime + usage.ru_stime for usage in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)))


class OtherLoad:
    """Begins to count when it is made."""

    def __init__(self):
        self.start = time.monotonic(), busy_seconds(), own_seconds()

    def share(self):
        """Part of the processors' time, 0 ... 1, that others took since then."""
        wall, busy, own = (now - before for now, before in zip((time.monotonic(), busy_seconds(), own_seconds()), self.start))
        return max(busy - own, 0) / (wall * (os.cpu_count() or 1))


def remark(shares):
    """Of a table: what others took, and what that means."""
    worst = max(shares)
    return f"other programs took {100 * worst:.0f} % of the processors' time" + ("; too much, measure again" if worst > 0.05 else "")
