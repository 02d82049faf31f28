"""Nothing of an engine outlives the process that owns it, not even when that one is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.inference.processes import group_members, wait_for_empty
from tests.real_site import MODELS_DIR
from tests.source import ROOT

CHILD = """
import os, subprocess, sys, time
from inference.parent_death import die_with_parent
if sys.argv[1] == "child":
    die_with_parent(int(sys.argv[2]))
    print(os.getpid(), flush=True)
    time.sleep(60)
else:
    subprocess.Popen([sys.executable, __file__, "child", str(os.getpid())])
    time.sleep(60)
"""

OWNER = """
import asyncio, os, sys
from pathlib import Path
from inference.engine_settings import read_settings
from inference.engines.vllm import VllmEngine

async def main():
    engine = VllmEngine(read_settings({}, Path(sys.argv[1])), os.environ)
    await engine.start(lambda phase, fraction: print(engine.pid or "", phase, flush=True))
    print(engine.pid, "ready", flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


def run(script: Path, *arguments: str) -> subprocess.Popen[str]:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, str(script), *arguments], stdout=subprocess.PIPE, text=True, env=environment
    )


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


def gone(pid: int, timeout_s: float = 5) -> bool:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.02)
    return False


def test_a_child_is_killed_with_its_parent(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(CHILD)
    parent = run(script, "parent")
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    assert not gone(child, timeout_s=0.2)
    end(parent)
    assert gone(child)


def test_a_child_whose_parent_is_already_another_ends_at_once(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(CHILD)
    adopted_by = "1"
    child = run(script, "child", adopted_by)
    assert child.wait(timeout=10) == 1
    end(child)


@pytest.mark.real_engine
@pytest.mark.parametrize("moment", [pytest.param("Loading SmolLM2", marks=pytest.mark.proof), "ready"])
def test_kill_9_of_the_owner_leaves_no_engine_process(tmp_path: Path, moment: str) -> None:
    script = tmp_path / "owner.py"
    script.write_text(OWNER)
    owner = run(script, str(MODELS_DIR))
    try:
        assert owner.stdout is not None
        host = next(int(line.split()[0]) for line in owner.stdout if moment in line)
        wait_for_engine_core(host)
        owner.send_signal(signal.SIGKILL)
        assert wait_for_empty(host, timeout_s=10) == []
    finally:
        end(owner)


def wait_for_engine_core(host: int, timeout_s: float = 60) -> None:
    """Three processes: the host, multiprocessing's resource tracker, EngineCore."""
    deadline = time.monotonic() + timeout_s
    while len(group_members(host)) < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(group_members(host)) >= 3
