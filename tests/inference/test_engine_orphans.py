"""Nothing of an engine outlives the process that owns it, not even when that one is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.inference.processes import group_members, wait_for_empty
from tests.support.real_site import MODELS_DIR
from tests.support.source import ROOT
from tests.support.waiting import PATIENCE_S, wait_until

CHILD = """
import os, subprocess, sys, time
from inference.parent_death import die_with_parent
if sys.argv[1] == "child":
    die_with_parent(int(sys.argv[2]))
    print(os.getpid(), flush=True)
    time.sleep(3_600)
else:
    subprocess.Popen([sys.executable, __file__, "child", str(os.getpid())])
    time.sleep(3_600)
"""

OWNER = """
import asyncio, os, sys
from pathlib import Path
from inference.engines.vllm.settings import read_settings
from inference.engines.vllm.engine import VllmEngine

async def main():
    engine = VllmEngine(read_settings({"CHATSITE_DEMO_MODEL": "smollm2"}, Path(sys.argv[1])), os.environ)
    await engine.start(lambda phase, fraction: print(engine.pid or "", phase, flush=True))
    print(engine.pid, "ready", flush=True)
    await asyncio.sleep(3_600)

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


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_a_child_is_killed_with_its_parent(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(CHILD)
    parent = run(script, "parent")
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    assert not gone(child)
    end(parent)
    wait_until(lambda: gone(child))


def test_a_child_whose_parent_is_already_another_ends_at_once(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(CHILD)
    adopted_by = "1"
    child = run(script, "child", adopted_by)
    assert child.wait(timeout=PATIENCE_S) == 1
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
        # The host, multiprocessing's resource tracker, EngineCore.
        wait_until(lambda: len(group_members(host)) >= 3)
        owner.send_signal(signal.SIGKILL)
        wait_for_empty(host)
    finally:
        end(owner)
