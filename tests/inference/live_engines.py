"""The engines that tests share: built once, built again only after a test has killed one."""

from __future__ import annotations

import os
import signal
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import httpx
import pytest

from inference.engines.base import Engine, EngineInfo
from inference.engines.emulated.engine import EmulatedEngine, EmulatedSettings
from inference.engines.emulated.timing import Timing
from inference.engines.remote.engine import RemoteEngine
from inference.engines.remote.server_metrics import parse_metrics
from inference.engines.remote.settings import RemoteSettings
from inference.engines.vllm.engine import VllmEngine
from inference.engines.vllm.settings import read_settings
from inference.model_store.embedded import prepare_embedded
from tests.inference.answers import Answers
from tests.inference.processes import group_members
from tests.inference.vllm_server import VllmServer
from tests.support.real_site import MODELS_DIR, SMALL
from tests.support.waiting import PATIENCE_S

EMULATED = EmulatedSettings(
    timing=Timing(step_s=0.01, max_running=34, kv_tokens=93_184), context_tokens=8_192, answer_tokens=0
)
"""The size of the embedded model on a CPU, faster."""

SERVER = VllmServer(MODELS_DIR)
"""The server behind the remote engine: started when first wanted, and again only after a test killed it."""


class Adapter(NamedTuple):
    """How to build one kind of engine, how to kill it from outside, and how to see its slots in use."""

    name: str
    build: Callable[[], Awaitable[Engine]]
    kill: Callable[[Engine], None]
    slots_in_use: Callable[[Engine], Awaitable[int]]


async def build_emulated() -> EmulatedEngine:
    return EmulatedEngine(EMULATED)


async def build_vllm() -> VllmEngine:
    return VllmEngine(read_settings(SMALL, MODELS_DIR), os.environ)


def kill_engine_core(engine: Engine) -> None:
    """The deepest process: vLLM must notice, end its host, and the host's end must reach us."""
    assert isinstance(engine, VllmEngine)
    assert engine.pid is not None
    (core,) = [member.pid for member in group_members(engine.pid) if "EngineCore" in member.command]
    os.kill(core, signal.SIGKILL)


async def build_remote() -> RemoteEngine:
    if not SERVER.running:
        await prepare_embedded(MODELS_DIR, lambda phase, fraction: None)
        SERVER.start()
    return RemoteEngine(RemoteSettings(urls=(SERVER.url,), slots=SERVER.settings.max_num_seqs))


def kill_emulated(engine: Engine) -> None:
    assert isinstance(engine, EmulatedEngine)
    engine.die()


async def slots_by_stats(engine: Engine) -> int:
    stats = engine.stats()
    return stats.running + stats.waiting


async def slots_by_server(engine: Engine) -> int:
    """What the server itself says of its slots; our own view says nothing about it."""
    async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE_S) as client:
        metrics = parse_metrics((await client.get(f"{SERVER.url}/metrics")).text)
    return metrics.running + metrics.waiting


ADAPTERS = [
    pytest.param(Adapter("emulated", build_emulated, kill_emulated, slots_by_stats), id="emulated"),
    pytest.param(
        Adapter("vllm", build_vllm, kill_engine_core, slots_by_stats),
        id="vllm",
        marks=pytest.mark.real_engine,
    ),
    pytest.param(
        Adapter("remote", build_remote, lambda engine: SERVER.kill(), slots_by_server),
        id="remote",
        marks=pytest.mark.real_engine,
    ),
]


class LiveEngine(NamedTuple):
    """A started engine, what it said of itself, and the one reader of its steps."""

    adapter: Adapter
    engine: Engine
    info: EngineInfo
    answers: Answers


class Engines:
    """One live engine for each adapter, started when first wanted."""

    def __init__(self) -> None:
        self._live: dict[str, LiveEngine] = {}

    async def get(self, adapter: Adapter) -> LiveEngine:
        live = self._live.get(adapter.name)
        if live is None or live.answers.death is not None:
            engine = await adapter.build()
            info = await engine.start(lambda phase, fraction: None)
            live = self._live[adapter.name] = LiveEngine(adapter, engine, info, Answers(engine))
        return live

    async def close(self) -> None:
        """Close twice, as the port allows; an engine that was alive ends its steps without an error."""
        for live in self._live.values():
            death = live.answers.death
            await live.engine.close()
            await live.engine.close()
            await live.answers.ended()
            assert live.answers.death is death
