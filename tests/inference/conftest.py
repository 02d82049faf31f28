"""Engines for whole runs, and model servers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from inference.engines.remote import pool
from inference.model_store.embedded import prepare_embedded
from tests.inference.live_engines import ADAPTERS, SERVER, Engines, LiveEngine
from tests.support.real_site import MODELS_DIR
from tests.support.scripted_server import ScriptedServer


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What kills an engine that others share comes after them: a new start takes half a minute."""
    items.sort(key=lambda item: item.get_closest_marker("kills_engine") is not None)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def engines() -> AsyncIterator[Engines]:
    engines = Engines()
    yield engines
    await engines.close()
    SERVER.kill()


@pytest_asyncio.fixture(loop_scope="session")
async def vllm(engines: Engines) -> LiveEngine:
    """The real engine. Tests that use it run in the session's loop and are marked `real_engine`."""
    return await engines.get(ADAPTERS[1].values[0])  # type: ignore[arg-type]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def embedded_model() -> Path:
    """The embedded model's directory, prepared if this is the first run."""
    return await prepare_embedded(MODELS_DIR, lambda phase, fraction: None)


@pytest_asyncio.fixture
async def servers(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[list[ScriptedServer]]:
    """Two that say what a test has them say, looked at often."""
    monkeypatch.setattr(pool, "PROBE_INTERVAL_S", 0.05)
    pair = [await ScriptedServer().start(), await ScriptedServer().start()]
    yield pair
    for server in pair:
        await server.stop()
