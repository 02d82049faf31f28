"""Preparing real model files: two processes at once, kill -9 at each step, embeddings stored once."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from inference.engines.base import Progress
from inference.model_capabilities import model_capabilities
from inference.model_store.convert import tie_embeddings
from inference.model_store.demo_models import QWEN, SMOLLM2, demo_path, models_folder
from inference.model_store.embedded import prepare_embedded
from tests.support.real_site import MODELS_DIR
from tests.support.source import ROOT
from tests.support.waiting import PATIENCE_S

PREPARE = """
import asyncio, os, sys
from pathlib import Path
from inference.model_store.embedded import prepare_embedded

def progress(phase, fraction):
    print(phase, flush=True)
    if sys.argv[2] and sys.argv[2] in phase:
        os.kill(os.getpid(), 9)

asyncio.run(prepare_embedded(Path(sys.argv[1]), progress))
"""

STEPS = ("Checking", "loading the conversion library", "reading the tokenizer", "unpacking", "writing")
"""At each of them a process is killed."""


def prepare(data: Path, killed_at: str = "") -> subprocess.Popen[str]:
    command = [sys.executable, "-c", PREPARE, str(data), killed_at]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def names(data: Path) -> list[str]:
    return sorted(path.name for path in models_folder(data).iterdir())


@pytest.mark.proof
def test_of_two_processes_one_prepares_and_the_other_waits(tmp_path: Path) -> None:
    both = [prepare(tmp_path), prepare(tmp_path)]
    said = [process.communicate(timeout=PATIENCE_S)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sum("unpacking the weights" in words for words in said) == 1
    assert names(tmp_path) == [".prepare.lock", demo_path(SMOLLM2, tmp_path).name]


@pytest.mark.proof
def test_kill_9_at_each_step_leaves_nothing_half_made(tmp_path: Path) -> None:
    for step in STEPS:
        killed = prepare(tmp_path, step)
        killed.communicate(timeout=PATIENCE_S)
        assert killed.returncode == -signal.SIGKILL, step
        assert not demo_path(SMOLLM2, tmp_path).exists()
    whole = prepare(tmp_path)
    whole.communicate(timeout=PATIENCE_S)
    assert whole.returncode == 0
    assert names(tmp_path) == [".prepare.lock", demo_path(SMOLLM2, tmp_path).name]
    assert model_capabilities(demo_path(SMOLLM2, tmp_path)).problems == ()


@pytest.mark.proof
async def test_the_better_model_is_fetched_and_its_embedding_stored_once() -> None:
    """By whichever source of it is within reach; kept for the next run."""
    quiet: Progress = lambda phase, fraction: None  # noqa: E731
    path = await prepare_embedded(MODELS_DIR, quiet, QWEN)
    config: dict[str, Any] = json.loads((path / "config.json").read_text("utf-8"))
    assert config["tie_word_embeddings"] is True
    assert (path / "model.safetensors").stat().st_size < 2 * QWEN.parameters + 10_000_000
    found = model_capabilities(path)
    assert (found.context_tokens, found.system, found.tools, found.problems) == (32_768, True, True, ())


def model_with(embedding: Any, head: Any) -> Any:
    """What the conversion looks at, with these matrices."""
    import torch

    layers = (
        SimpleNamespace(weight=torch.nn.Parameter(embedding)),
        SimpleNamespace(weight=torch.nn.Parameter(head)),
    )
    return SimpleNamespace(
        get_input_embeddings=lambda: layers[0],
        get_output_embeddings=lambda: layers[1],
        config=SimpleNamespace(tie_word_embeddings=False),
        tie_weights=lambda: None,
    )


@pytest.mark.slow
def test_one_matrix_quantised_twice_is_kept_once_and_two_are_kept_both() -> None:
    import torch

    matrix = torch.randn(64, 32, generator=torch.Generator().manual_seed(1))
    coarse = (matrix * 8).round() / 8
    for head, tied in ((matrix, True), (matrix.flip(0), False), (torch.randn(64, 16), False)):
        model = model_with(coarse, head)
        tie_embeddings(model)
        assert model.config.tie_word_embeddings is tied
        assert (model.get_input_embeddings().weight is model.get_output_embeddings().weight) is tied
