"""The engine host may print what it likes: its log ends neither the reading nor the engine's end."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from inference.engines.base import EngineStartError
from inference.engines.vllm import engine as vllm
from inference.engines.vllm.engine import VllmEngine
from inference.engines.vllm.host_log import CUT, LINE_BYTES, HostLog
from inference.engines.vllm.settings import read_settings
from tests.support.waiting import PATIENCE_S

LONG = 300_000
"""Past what asyncio takes for a line: 64 KiB."""


async def heard(*chunks: bytes) -> list[str]:
    stream, log = asyncio.StreamReader(), HostLog()
    for chunk in chunks:
        stream.feed_data(chunk)
    stream.feed_eof()
    await log.read(stream)
    return list(log.last_lines)


async def test_lines_come_whole_however_they_arrive() -> None:
    assert await heard(b"one\ntw", b"o\n\nthr", "\N{GREEK SMALL LETTER ALPHA}".encode()[:1]) == [
        "one",
        "two",
        "",
        "thr\ufffd",
    ]


async def test_a_long_line_is_cut_and_the_next_one_is_whole() -> None:
    long, after = await heard(b"x" * LONG + b"\nafter\n")
    assert long == "x" * LINE_BYTES + CUT
    assert after == "after"


async def test_an_endless_line_is_held_to_its_bound() -> None:
    log, stream = HostLog(), asyncio.StreamReader()
    reading = asyncio.create_task(log.read(stream))
    for _ in range(50):
        stream.feed_data(b"y" * 65_536)
        await asyncio.sleep(0)
    assert log.pending_bytes == LINE_BYTES
    stream.feed_eof()
    await reading


class Printing(VllmEngine):
    """A host that prints one long line and then its error, and ends."""

    script = f"print('x' * {LONG}); print('ValueError: no room')"

    child: asyncio.subprocess.Process

    async def spawn_host(self, settings, socket_fd: int) -> asyncio.subprocess.Process:
        self.child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", self.script),
            pass_fds=(socket_fd,),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        return self.child


def engine(kind: type[Printing], tmp_path: Path) -> Printing:
    (tmp_path / "config.json").write_text("{}")
    return kind(read_settings({"VLLM_MODEL": str(tmp_path)}, tmp_path), os.environ)


async def test_a_host_that_prints_a_long_line_ends_like_any_other(tmp_path: Path) -> None:
    printing = engine(Printing, tmp_path)
    with pytest.raises(EngineStartError, match="ended while starting"):
        await printing.start(lambda phase, fraction: None)
    assert list(printing.host_log.last_lines) == ["x" * LINE_BYTES + CUT, "ValueError: no room"]


async def test_what_outlives_the_host_does_not_hold_up_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vllm, "LOG_GRACE_S", 0.1)

    class Left(Printing):
        script = (
            "import subprocess, sys; child = subprocess.Popen([sys.executable, '-c', "
            "'import time; time.sleep(3_600)'], start_new_session=True); print(child.pid, flush=True)"
        )

    left = engine(Left, tmp_path)
    try:
        async with asyncio.timeout(PATIENCE_S):
            with pytest.raises(EngineStartError):
                await left.start(lambda phase, fraction: None)
    finally:
        os.kill(int(left.host_log.last_lines[0]), signal.SIGKILL)
        assert left.child.stdout is not None
        await left.child.stdout.read()  # the pipe is closed, and nothing of the test is left
