"""How large this machine is, as far as this process may use it."""

import os
from pathlib import Path

__all__ = ["cores", "memory_mb"]

CGROUP = Path("/sys/fs/cgroup")
MEMINFO = Path("/proc/meminfo")


def cores(cgroup: Path = CGROUP) -> int:
    """Return how many cores this process may use: its affinity, and the quota of its container."""
    allowed = len(os.sched_getaffinity(0))
    try:
        quota, period = (cgroup / "cpu.max").read_text().split()
        return max(1, min(allowed, int(quota) // int(period)))
    except (OSError, ValueError):  # no such file, or `max`: no quota
        return allowed


def memory_mb(cgroup: Path = CGROUP, meminfo: Path = MEMINFO) -> float:
    """Return the memory that this process may use, in MB: the machine's, or less where its container has a limit."""
    total = next(float(line.split()[1]) / 1024 for line in meminfo.read_text().splitlines() if "MemTotal" in line)
    try:
        return min(total, int((cgroup / "memory.max").read_text()) / 2**20)
    except (OSError, ValueError):
        return total
