"""CPU time of processes, run queue included: real ones that compute, sleep and are stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from inference.engines.vllm.host.cpu_time import cpu_time_s, descendants
from tests.support.waiting import wait_until

SPIN = "print(flush=True)\nwhile True: pass"
SLEEP = "import time; print(flush=True); time.sleep(3_600)"
GRANDCHILD = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {SPIN!r}])"

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@contextmanager
def process(code: str) -> Iterator[int]:
    """A process that has said that it begins."""
    with subprocess.Popen(
        [sys.executable, "-c", code], start_new_session=True, stdout=subprocess.PIPE
    ) as child:
        try:
            assert child.stdout is not None
            child.stdout.readline()
            yield child.pid
        finally:
            os.killpg(child.pid, signal.SIGKILL)


def share(pid: int, over_s: float = 0.3) -> float:
    """CPU time of a process over a while, as a share of it."""
    before, began = cpu_time_s((pid,)), time.monotonic()
    time.sleep(over_s)
    after, ended = cpu_time_s((pid,)), time.monotonic()
    assert before is not None
    assert after is not None
    return (after - before) / (ended - began)


def state(pid: int) -> str:
    """S: it sleeps; T: it was stopped."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


@linux
def test_a_computing_process_counts_even_where_it_gets_little_cpu() -> None:
    """Four of them on however few processors: each computes or queues nearly all the time."""
    with process(SPIN) as pid, process(SPIN), process(SPIN), process(SPIN):
        assert share(pid) > 0.5


@linux
@pytest.mark.parametrize("stopped", [False, True])
def test_one_that_sleeps_or_is_stopped_does_not_count(stopped: bool) -> None:
    with process(SPIN if stopped else SLEEP) as pid:
        if stopped:
            os.kill(pid, signal.SIGSTOP)
        wait_until(lambda: state(pid) == ("T" if stopped else "S"))
        assert share(pid) < 0.01


@linux
def test_descendants_are_found_through_their_parents() -> None:
    with process(GRANDCHILD) as pid:
        wait_until(lambda: list(descendants(pid)))
        below = list(descendants(pid))
        assert pid not in below
        assert os.getpgid(below[0]) == pid


def test_a_kernel_that_says_nothing_gives_none(tmp_path: Path) -> None:
    assert cpu_time_s((1, 2), tmp_path) is None
