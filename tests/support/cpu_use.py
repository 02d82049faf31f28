"""Processor time and memory of a process tree, read from /proc, by the part each process plays."""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

TICK_S = 1 / os.sysconf("SC_CLK_TCK")

ROLES = (
    (
        "engine",
        (
            "inference.engines.vllm.host",
            "VLLM::",
            "multiprocessing.resource_tracker",
            "multiprocessing.spawn",
        ),
    ),
    ("inference", ("inference_worker",)),
    ("web", ("daphne",)),
    ("site", ("manage.py serve",)),
)
"""Part → what its command line contains; the first that fits. `site` is web and inference in one process."""


@dataclass(frozen=True)
class Use:
    """Processor seconds so far, and resident megabytes now."""

    cpu_s: float
    rss_mb: float


def children() -> dict[int, list[int]]:
    """Parent → children of every process of this machine."""
    found: dict[int, list[int]] = defaultdict(list)
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue
            found[int(stat.rpartition(")")[2].split()[1])].append(int(entry.name))
    return found


def tree(root: int) -> list[int]:
    """The process and all its descendants that still live."""
    below = children()
    found, todo = [], [root]
    while todo:
        pid = todo.pop()
        found.append(pid)
        todo.extend(below.get(pid, ()))
    return found


def role(pid: int) -> str:
    """The part a process plays, by its command line; "other" when none fits."""
    command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return next((name for name, signs in ROLES if any(sign in command for sign in signs)), "other")


def use(*roots: int) -> dict[str, Use]:
    """Part → use, over the trees of these processes. A process that ended meanwhile is left out."""
    sums: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for pid in {pid for root in roots for pid in tree(root)}:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            part = sums[role(pid)]
        except OSError:
            continue
        # Fields 14 and 15 of proc(5), user and system time; 24, resident pages. The first two are cut off.
        part[0] += (int(fields[11]) + int(fields[12])) * TICK_S
        part[1] += int(fields[21]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    return {name: Use(cpu, rss) for name, (cpu, rss) in sums.items()}


def exact_cpu_s(*pids: int) -> float:
    """Processor seconds of these processes' living threads, to the nanosecond, where `use` counts in ticks.

    What a running thread has used since the kernel last looked, some milliseconds at most, is not in it: ask
    while they wait.
    """
    nanoseconds = 0
    for pid in pids:
        for thread in Path(f"/proc/{pid}/task").iterdir():
            try:
                nanoseconds += int((thread / "schedstat").read_text().split()[0])
            except OSError:
                continue
    return nanoseconds / 1e9


def descriptors(*roots: int) -> int:
    """Open file descriptors of these processes and their descendants."""
    count = 0
    for pid in {pid for root in roots for pid in tree(root)}:
        try:
            count += len(os.listdir(f"/proc/{pid}/fd"))
        except OSError:
            continue
    return count
