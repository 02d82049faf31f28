"""CPU time of the engine's processes, run-queue time included, from /proc (proc(5), Linux' sched-stats.rst).

Time in the run queue counts as well as time on a CPU: on an overloaded machine a healthy engine may get
little CPU and still be runnable all the time.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

NS = 1e-9


def descendants(pid: int, proc: Path = Path("/proc")) -> Iterator[int]:
    """Every living process below this one."""
    for thread in _threads(proc / str(pid)):
        with suppress(OSError):
            for child in map(int, (thread / "children").read_text().split()):
                yield child
                yield from descendants(child, proc)


def cpu_time_s(pids: Iterable[int], proc: Path = Path("/proc")) -> float | None:
    """Seconds in which their threads ran or waited for a CPU; None: this kernel does not say."""
    figures = [
        figure
        for pid in pids
        for thread in _threads(proc / str(pid))
        if (figure := _thread_cpu_time_s(thread)) is not None
    ]
    return sum(figures) if figures else None


def descendants_cpu_time_s() -> float | None:
    """CPU time of this process's descendants."""
    return cpu_time_s(descendants(os.getpid()))


def _thread_cpu_time_s(thread: Path) -> float | None:
    """schedstat holds time on a CPU, time in the run queue, both in ns, and a count."""
    try:
        computed, queued, _ = (thread / "schedstat").read_text().split()
    except (OSError, ValueError):
        return None
    return (int(computed) + int(queued)) * NS


def _threads(process: Path) -> list[Path]:
    try:
        return list((process / "task").iterdir())
    except OSError:
        return []
