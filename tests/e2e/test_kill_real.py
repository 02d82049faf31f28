"""The same on real vLLM: the inference process is killed, then the engine host alone."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import cpu_use
from tests.support import site as sites
from tests.support.kills import judge_readers, kill_worker, start_worker, stored, survive, worker_of

pytestmark = [pytest.mark.postgres, pytest.mark.redis, pytest.mark.real_engine, pytest.mark.proof]

RUNNING_S = 1.0
"""After the twenty are asked: all but the first eight still wait, and those are writing."""

REAL = {
    "CHATSITE_ENGINE": "vllm",
    "VLLM_MAX_NUM_SEQS": "8",
    "CHATSITE_MAX_OUTPUT_TOKENS": "96",
    "RATE_LIMIT_PER_MINUTE": "10000",
}


@pytest.fixture(scope="module")
def site() -> Iterator[sites.Site]:
    with sites.apart(REAL) as running:
        yield running[0]


async def test_the_inference_process_is_killed(site: sites.Site) -> None:
    before = cpu_use.tree(worker_of(site).pid)
    assert len(engine_processes(before)) >= 3

    async def kill() -> None:
        await asyncio.sleep(RUNNING_S)
        kill_worker(site)
        start_worker(site)

    streams = await survive(site, "Tell me a story", kill)
    judge_readers(site, streams, stored(site))
    assert not any(map(alive, before)), "the old engine went with its owner"


async def test_the_engine_host_alone_is_killed(site: sites.Site) -> None:
    worker = worker_of(site)
    before = engine_processes(cpu_use.tree(worker.pid))

    async def kill() -> None:
        await asyncio.sleep(RUNNING_S)
        os.kill(host_among(before), signal.SIGKILL)

    streams = await survive(site, "Tell me another story", kill)
    judge_readers(site, streams, stored(site))
    assert any(stream.failure == "" for stream in streams), "those who waited have their answers"
    assert worker.poll() is None
    assert not any(map(alive, before)), "EngineCore went with its host"


def engine_processes(pids: list[int]) -> list[int]:
    return [pid for pid in pids if cpu_use.role(pid) == "engine"]


def host_among(pids: list[int]) -> int:
    return next(
        pid for pid in pids if b"inference.engines.vllm.host" in Path(f"/proc/{pid}/cmdline").read_bytes()
    )


def alive(pid: int) -> bool:
    """A zombie, which only waits to be collected, is not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
