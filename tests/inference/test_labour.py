"""What a process's labour is: on this kernel, with real processes that compute, sleep and are stopped."""

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

from inference.engine_host.labour import descendants, labour_s

SPIN = "while True: pass"
SLEEP = "import time; time.sleep(60)"
GRANDCHILD = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {SPIN!r}])"

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@contextmanager
def process(code: str) -> Iterator[int]:
    child = subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
    try:
        yield child.pid
    finally:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def gained_s(pid: int, over_s: float = 0.4) -> float:
    before = labour_s((pid,))
    time.sleep(over_s)
    after = labour_s((pid,))
    assert before is not None
    assert after is not None
    return after - before


@linux
def test_a_computing_process_labours_even_where_it_gets_little_of_a_processor() -> None:
    """Four of them on however few processors: each computes or queues nearly all the time."""
    with process(SPIN) as pid, process(SPIN), process(SPIN), process(SPIN):
        time.sleep(0.1)
        assert gained_s(pid) > 0.2


@linux
@pytest.mark.parametrize("stopped", [False, True])
def test_one_that_sleeps_or_is_stopped_does_not(stopped: bool) -> None:
    with process(SPIN if stopped else SLEEP) as pid:
        time.sleep(0.3)
        if stopped:
            os.kill(pid, signal.SIGSTOP)
            time.sleep(0.05)
        assert gained_s(pid) < 0.005


@linux
def test_descendants_are_found_through_their_parents() -> None:
    with process(GRANDCHILD) as pid:
        deadline = time.monotonic() + 10
        while not (below := list(descendants(pid))) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert pid not in below
        assert os.getpgid(below[0]) == pid


def test_a_kernel_that_says_nothing_gives_none(tmp_path: Path) -> None:
    assert labour_s((1, 2), tmp_path) is None
