"""The engines that tests share: built once, built again only after a test has killed one."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import pytest_asyncio

from inference.engine_settings import read_settings
from inference.engines.base import Engine, EngineInfo
from inference.engines.vllm import VllmEngine
from inference.model_store.embedded import prepare_embedded
from tests.inference.answers import Answers
from tests.inference.processes import group_members

ROOT = Path(__file__).resolve().parents[2]

MODELS_DIR = Path(os.environ.get("CHATSITE_TEST_MODELS") or ROOT / "var" / "test-models")
"""Kept between runs: preparing the embedded model takes half a minute."""


class Adapter(NamedTuple):
    """How to build one kind of engine, and how to kill it from outside."""

    name: str
    build: Callable[[], Engine]
    kill: Callable[[Engine], None]


def build_vllm() -> VllmEngine:
    return VllmEngine(read_settings({}, MODELS_DIR), os.environ)


def kill_engine_core(engine: Engine) -> None:
    """The deepest process: vLLM must notice, end its host, and the host's end must reach us."""
    assert isinstance(engine, VllmEngine)
    assert engine.pid is not None
    (core,) = [member.pid for member in group_members(engine.pid) if "EngineCore" in member.command]
    os.kill(core, signal.SIGKILL)


ADAPTERS = [
    pytest.param(Adapter("vllm", build_vllm, kill_engine_core), id="vllm", marks=pytest.mark.real_engine),
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
            engine = adapter.build()
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


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def engines() -> AsyncIterator[Engines]:
    engines = Engines()
    yield engines
    await engines.close()


@pytest_asyncio.fixture(loop_scope="session")
async def vllm(engines: Engines) -> LiveEngine:
    """The real engine. Tests that use it run in the session's loop and are marked `real_engine`."""
    return await engines.get(ADAPTERS[0].values[0])  # type: ignore[arg-type]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def embedded_model() -> Path:
    """The embedded model's directory, prepared if this is the first run."""
    return await prepare_embedded(MODELS_DIR, lambda phase, fraction: None)
