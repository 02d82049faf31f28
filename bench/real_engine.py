"""Real vLLM for benchmarks that need the engine without a site: started once, its steps with their times."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bench.results import ROOT
from inference.engines.base import EngineInfo, EngineStartError
from inference.engines.vllm.engine import VllmEngine
from inference.engines.vllm.settings import EngineSettings, read_settings
from tests.support.errors import BenchmarkError

ENGINES = "emulated 4090D (virtual clock), and real vLLM (SmolLM2-135M)"

NOT_REAL = "The real engine was left out (BENCH_REAL=0): these figures are the emulated card's alone."


def real_side() -> bool:
    """Whether real engines take part: not with BENCH_REAL=0, on a machine that others use meanwhile."""
    return os.environ.get("BENCH_REAL", "1") != "0"


def data_dir() -> Path:
    """The site's own data directory: the embedded model is prepared there once and found again."""
    folder = Path(os.environ.get("CHATSITE_DATA_DIR") or ROOT / "var")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def settings() -> EngineSettings:
    """What the site itself would start here."""
    return read_settings({"CHATSITE_DEMO_MODEL": "smollm2"} | os.environ, data_dir())


@asynccontextmanager
async def vllm() -> AsyncIterator[tuple[VllmEngine, EngineInfo]]:
    """A started engine, closed at the end. Raises BenchmarkError where it does not start."""
    engine = VllmEngine(settings())
    try:
        info = await engine.start(lambda what, _done: print(f"  {what}", file=sys.stderr, flush=True))
    except EngineStartError as error:
        raise BenchmarkError(str(error)) from error
    try:
        yield engine, info
    finally:
        await asyncio.shield(engine.close())
