"""The demonstration model's preparation: its file is found, checked and converted once.

`convert` turns the GGUF file into a directory that vLLM loads. What is chosen and cannot be had is replaced
by SmolLM2, which comes with the installation, and that is said.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from time import monotonic

import msgspec

from inference.engines.base import EngineStartError, Progress
from inference.model_store.demo_choice import DemoChoice
from inference.model_store.demo_files import SPARE_BYTES, check_space, find_model_file, forget_download
from inference.model_store.demo_models import (
    DEMO_MODELS,
    ROOT,
    SMOLLM2,
    DemoKey,
    DemoModel,
    demo_path,
    models_folder,
)
from inference.model_store.hub_download import ModelFetchError
from inference.model_store.transfer_meter import time_left

logger = logging.getLogger(__name__)

LOCK_POLL_S = 0.5
"""Interval at which a second process polls the lock of the first."""

SERVED_NAME = ".demonstration.json"
"""Which model was prepared last, for the processes that count its tokens."""

SHOWN_ERROR_CHARS = 300


class _ProgressLine(msgspec.Struct):
    phase: str
    fraction: float


class _Served(msgspec.Struct):
    model: DemoKey


class PreparedModel(msgspec.Struct, frozen=True):
    """A demonstration model that is ready to load. `note` says which one it is, and why, in few sentences."""

    model: DemoModel
    path: Path
    note: str


async def prepare_demonstration(
    choice: DemoChoice, data_dir: Path, environment: Mapping[str, str], progress: Progress
) -> PreparedModel:
    """Prepare the chosen model, or SmolLM2 where it cannot be had. Raises EngineStartError."""
    model, why = choice.model, choice.why
    try:
        path = await prepare_embedded(data_dir, progress, model, environment)
    except EngineStartError as error:
        if model is SMOLLM2:
            raise
        logger.warning("%s could not be prepared: %s", model.name, error)
        why = f"{model.name} could not be prepared: {str(error).rstrip('.')}."
        model = SMOLLM2
        path = await prepare_embedded(data_dir, progress, model, environment)
    await asyncio.to_thread(_remember, model, data_dir)
    by = f"{model.licence}, by {model.maker}"
    note = f"{model.name} ({by}) is a model for demonstration: {model.speaks}. {why}"
    logger.info("Demonstration model: %s", note)
    return PreparedModel(model, path, note)


async def prepare_embedded(
    data_dir: Path,
    progress: Progress,
    model: DemoModel = SMOLLM2,
    environment: Mapping[str, str] | None = None,
) -> Path:
    """Prepare this model if needed and return its directory. Raises EngineStartError.

    Safe in several processes at once, and when interrupted at any moment: the work happens in a
    temporary directory under a lock, and one rename makes it visible.
    """
    target = demo_path(model, data_dir)
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    async with _locked(target.parent / ".prepare.lock", model, progress):
        if not target.is_dir():
            try:
                await _prepare(model, data_dir, os.environ if environment is None else environment, progress)
            except ModelFetchError as error:
                raise EngineStartError(_cannot_be_had(model, str(error))) from error
    return target


def served_demo(data_dir: Path) -> DemoModel | None:
    """The demonstration model that was prepared last; None before the first."""
    try:
        served = msgspec.json.decode((models_folder(data_dir) / SERVED_NAME).read_bytes(), type=_Served)
    except (OSError, msgspec.MsgspecError):
        return None
    return DEMO_MODELS[served.model]


def _remember(model: DemoModel, data_dir: Path) -> None:
    folder = models_folder(data_dir)
    with tempfile.NamedTemporaryFile(dir=folder, prefix=SERVED_NAME, delete=False) as file:
        file.write(msgspec.json.encode(_Served(model.key)))
    os.rename(file.name, folder / SERVED_NAME)


def _cannot_be_had(model: DemoModel, reasons: str) -> str:
    if model.package:
        return (
            f"The embedded model {model.name} cannot be had ({reasons}). Reinstall the package "
            f"{model.package.replace('_', '-')} as the locks name it, or set VLLM_MODEL."
        )
    return (
        f"{reasons}. CHATSITE_DEMO_MODEL_FILE takes {model.file_name} from a place of your own; the next "
        "start tries again."
    )


async def _prepare(
    model: DemoModel, data_dir: Path, environment: Mapping[str, str], progress: Progress
) -> None:
    target = demo_path(model, data_dir)
    for left_over in target.parent.glob(".preparing-*"):
        shutil.rmtree(left_over, ignore_errors=True)
    source = await find_model_file(model, data_dir, environment, progress)
    check_space(target.parent, model.converted_bytes + SPARE_BYTES, f"preparing {model.name}")
    temporary = Path(tempfile.mkdtemp(prefix=".preparing-", dir=target.parent))
    try:
        await _convert(model, source, temporary, progress)
        os.rename(temporary, target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    forget_download(model, data_dir)


async def _convert(model: DemoModel, source: Path, directory: Path, progress: Progress) -> None:
    """Run `convert` in a child, which imports torch so that this process need not."""
    began = monotonic()
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
                left = time_left(monotonic() - began, step.fraction)
                progress(f"Preparing {model.name}: {step.phase.lower()}{left}", step.fraction)
        stderr, code = await errors, await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if code != 0:
        logger.error("The conversion of %s ended with %s:\n%s", source, code, stderr[-2000:].strip())
        said = [line for line in stderr.splitlines() if line.strip()] or [
            "it was killed, as for lack of memory"
        ]
        raise EngineStartError(f"Preparing {model.name} failed ({code}): {said[-1][:SHOWN_ERROR_CHARS]}")


async def _lines(stream: asyncio.StreamReader | None) -> AsyncIterator[bytes]:
    assert stream is not None
    async for line in stream:
        yield line


async def _read_all(stream: asyncio.StreamReader | None) -> str:
    assert stream is not None
    return (await stream.read()).decode(errors="replace")


@asynccontextmanager
async def _locked(path: Path, model: DemoModel, progress: Progress) -> AsyncIterator[None]:
    """Hold the file's lock. Polled, so that waiting can be cancelled; the kernel frees it on any death."""
    with path.open("w") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                progress(f"Another process is preparing {model.name}", None)
                await asyncio.sleep(LOCK_POLL_S)
        yield
