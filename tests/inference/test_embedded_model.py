"""The embedded model is prepared once, whole or not at all, and by somebody else's torch."""

from __future__ import annotations

import asyncio
import fcntl
import subprocess
import sys
from pathlib import Path

import pytest

from inference.engines.base import EngineStartError
from inference.model_store import embedded
from tests.source import ROOT


def quiet(phase: str, fraction: float | None) -> None:
    """Nobody watches."""


async def test_a_damaged_file_is_named_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    damaged = tmp_path / "damaged.gguf"
    damaged.write_bytes(b"GGUF")
    monkeypatch.setattr(embedded, "find_gguf", lambda: damaged)
    with pytest.raises(EngineStartError, match=r"damaged\.gguf has SHA-256"):
        await embedded.prepare_embedded(tmp_path, quiet)
    assert not embedded.embedded_path(tmp_path).exists()


@pytest.mark.slow
async def test_a_failed_conversion_tells_why_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"not a model")
    monkeypatch.setattr(embedded, "find_gguf", lambda: broken)
    monkeypatch.setattr(embedded, "_check_sum", lambda source: None)
    left_over = tmp_path / "models" / ".preparing-killed"
    left_over.mkdir(parents=True)
    with pytest.raises(EngineStartError, match="failed"):
        await embedded.prepare_embedded(tmp_path, quiet)
    assert [path.name for path in (tmp_path / "models").iterdir()] == [".prepare.lock"]


@pytest.mark.slow
async def test_a_second_process_waits_and_takes_what_the_first_made(tmp_path: Path) -> None:
    target = embedded.embedded_path(tmp_path)
    target.parent.mkdir()
    said: list[str] = []
    waiting = asyncio.Event()

    def progress(phase: str, fraction: float | None) -> None:
        said.append(phase)
        waiting.set()

    with (target.parent / ".prepare.lock").open("w") as first:
        fcntl.flock(first, fcntl.LOCK_EX)
        second = asyncio.ensure_future(embedded.prepare_embedded(tmp_path, progress))
        await waiting.wait()
        target.mkdir()
    assert await second == target
    assert "Another process" in said[0]


async def test_a_prepared_model_is_taken_at_once(tmp_path: Path) -> None:
    target = embedded.embedded_path(tmp_path)
    target.mkdir(parents=True)
    assert await embedded.prepare_embedded(tmp_path, quiet) == target


def test_the_owner_of_an_engine_imports_neither_torch_nor_vllm() -> None:
    code = (
        "import sys, inference.engines.vllm, inference.prompt; print({'torch', 'vllm'} & sys.modules.keys())"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "set()"
