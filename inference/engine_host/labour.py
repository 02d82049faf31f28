"""How much the engine's processes have worked or wanted to, from /proc (proc(5), Linux' sched-stats.rst).

Time in the run queue counts as well as time on a processor: on a machine with too much to do, an engine
that is well may get little of it and still stand in line for all of it.
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


def labour_s(pids: Iterable[int], proc: Path = Path("/proc")) -> float | None:
    """Seconds in which their threads computed or waited for a processor; None: this kernel does not say."""
    figures = [
        figure
        for pid in pids
        for thread in _threads(proc / str(pid))
        if (figure := _thread_labour_s(thread)) is not None
    ]
    return sum(figures) if figures else None


def own_labour_s() -> float | None:
    """Of this process's descendants."""
    return labour_s(descendants(os.getpid()))


def _thread_labour_s(thread: Path) -> float | None:
    """schedstat holds time on a processor, time in the run queue, both in ns, and a count."""
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
