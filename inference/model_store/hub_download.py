"""A model file from its maker's repository on the hub, going on where an earlier try was interrupted."""

from __future__ import annotations

import os
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from inference.engines.base import Progress
from inference.model_store.demo_models import DemoModel
from inference.model_store.partial_file import continued, file_size
from inference.model_store.transfer_meter import MEGABYTE, TransferMeter

if TYPE_CHECKING:
    import httpx

CONNECT_S = 5.0
"""A hub that cannot be reached is noticed by then, and the next source is tried."""

SILENT_S = 10.0
"""The longest pause in an answer."""

WINDOW_S = 30.0
SLOWEST_BYTES = 2 * MEGABYTE
"""What has to come in each window: at half of this pace 491 MB would take four hours."""

LEAST_FREE_BYTES = 16 * MEGABYTE
"""What a download leaves free on its disk: the database lies there as well."""

MOST_REDIRECTS = 5


class ModelFetchError(Exception):
    """This source does not have the file; the message is one sentence without a full stop."""


def hub_address(model: DemoModel) -> str:
    """Where the hub has the file. Raises ModelFetchError."""
    try:
        from huggingface_hub import constants, hf_hub_url
    except ImportError as error:
        raise ModelFetchError("huggingface_hub is not installed") from error
    if constants.HF_HUB_OFFLINE:
        raise ModelFetchError("HF_HUB_OFFLINE is set")
    return hf_hub_url(model.hub, model.file_name, revision=model.revision)


async def fetch_from_hub(model: DemoModel, partial: Path, progress: Progress) -> None:
    """Complete `partial`, which may hold the file's beginning. Raises ModelFetchError; what came is kept."""
    import httpx  # a tenth of a second that a start without a download saves

    have = file_size(partial)
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    timeout = httpx.Timeout(SILENT_S, connect=CONNECT_S)
    address = hub_address(model)
    try:
        async with (
            httpx.AsyncClient(timeout=timeout, follow_redirects=True, max_redirects=MOST_REDIRECTS) as client,
            client.stream("GET", address, headers=headers) as answer,
        ):
            have = _begins_at(answer, have, model.file_bytes)
            meter = TransferMeter(progress, f"Downloading {model.name} from the hub", model.file_bytes, have)
            await _write(answer, partial, have, model.file_bytes, meter)
    except httpx.HTTPError as error:
        raise ModelFetchError(str(error) or type(error).__name__) from error


def _begins_at(answer: httpx.Response, have: int, size: int) -> int:
    """The offset of the answer's first byte. Raises ModelFetchError for what is not the file."""
    if answer.status_code not in (200, 206):
        raise ModelFetchError(f"it answered {answer.status_code}")
    if answer.headers.get("Content-Type", "").startswith("text/"):
        raise ModelFetchError("it answered with a page and not with the file, as proxies and portals do")
    begin = have if answer.status_code == 206 else 0
    length = answer.headers.get("Content-Length", "")
    if not length.isdigit() or int(length) != size - begin:
        raise ModelFetchError(f"its file is not of {size} bytes")
    return begin


async def _write(answer: httpx.Response, partial: Path, begin: int, size: int, meter: TransferMeter) -> None:
    window_at, window_bytes, done = monotonic(), begin, begin
    with continued(partial, begin) as file:
        async for chunk in answer.aiter_bytes():
            done += len(chunk)
            if done > size:
                raise ModelFetchError(f"its file is longer than {size} bytes")
            file.write(chunk)
            meter.update(done)
            if monotonic() - window_at > WINDOW_S:
                if done - window_bytes < SLOWEST_BYTES:
                    raise ModelFetchError(f"it sent {done - window_bytes} bytes in {WINDOW_S:.0f} s")
                window_at, window_bytes = monotonic(), done
            _check_room(partial)
    if done < size:
        raise ModelFetchError(f"it ended after {done} of {size} bytes")


def _check_room(partial: Path) -> None:
    space = os.statvfs(partial.parent)
    if space.f_bavail * space.f_frsize < LEAST_FREE_BYTES:
        raise ModelFetchError(f"the disk of {partial.parent} is full")
