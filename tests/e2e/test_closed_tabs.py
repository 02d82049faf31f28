"""Tabs that go while their answer comes: nobody reads what the engine still makes, and no log complains."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from uuid import uuid4

import httpx
import pytest

from tests.e2e.reading import rows
from tests.support import site as sites
from tests.support.waiting import PATIENCE_S, until
from tests.support.websocket import WebSocket, connect

COMPLAINTS = ("never retrieved", "Disconnected", "Traceback", '"level": "error"', "[error")

Frames = list[dict[str, str]]


@asynccontextmanager
async def asking(site: sites.Site, cookie: str) -> AsyncIterator[tuple[WebSocket, Frames]]:
    """A tab whose answer has begun, and the frames that it has got."""
    frames: Frames = []
    tab = await connect(
        sites.HOST, site.port, "/ws/chat/", cookie, lambda text, _at: frames.append(json.loads(text))
    )
    tab.send(json.dumps({"type": "submit", "id": str(uuid4()), "content": "Tell me a story"}).encode())
    await until(lambda: any(frame["type"] == "delta" for frame in frames))
    yield tab, frames


def close(tab: WebSocket) -> None:
    """With a close frame, as a browser's tab."""
    tab.close()


def abort(tab: WebSocket) -> None:
    """With a reset, as a browser that is killed."""
    tab.transport.abort()


def leave_half(tab: WebSocket) -> None:
    """Only its own half of the connection, as some proxies do."""
    tab.transport.write_eof()


def ended(site: sites.Site, generation: str) -> bool:
    found = rows(site, "SELECT status FROM generations_generation WHERE id = ?", generation.replace("-", ""))
    return found[0]["status"] not in ("queued", "running")


def generation_of(frames: Frames) -> str:
    return next(frame["generation"] for frame in frames if frame["type"] == "accepted")


def complaints(site: sites.Site) -> list[str]:
    lines = site.log.read_text(errors="replace").splitlines()
    return [line for line in lines if any(words in line for words in COMPLAINTS)]


@pytest.mark.parametrize("go", [close, abort, leave_half], ids=lambda go: go.__name__)
async def test_a_tab_that_goes_mid_answer_leaves_no_complaint(
    emulated_site: sites.Site, person: str, go: Callable[[WebSocket], None]
) -> None:
    before = complaints(emulated_site)
    async with asking(emulated_site, person) as (tab, frames):
        go(tab)
    await until(lambda: ended(emulated_site, generation_of(frames)))
    assert complaints(emulated_site) == before


async def test_a_tab_that_is_closed_and_does_not_listen_is_sent_nothing(
    emulated_site: sites.Site, person: str
) -> None:
    """Signed out elsewhere: its socket is closed, and the answer goes on while it has not agreed."""
    before = complaints(emulated_site)
    async with asking(emulated_site, person) as (tab, frames):
        tab.transport.pause_reading()
        await sign_out(emulated_site, person)
        await until(lambda: ended(emulated_site, generation_of(frames)))
        tab.transport.resume_reading()
        async with asyncio.timeout(PATIENCE_S):
            assert await tab.closed == 4401
    assert complaints(emulated_site) == before
    assert frames[-1]["type"] != "finished"


async def sign_out(site: sites.Site, cookie: str) -> None:
    async with httpx.AsyncClient(base_url=site.url, trust_env=False, timeout=PATIENCE_S) as client:
        page = await client.get("/", headers={"Cookie": cookie})
        token = page.text.partition('name="csrf-token" content="')[2].partition('"')[0]
        headers = {
            "Cookie": f"{cookie}; csrftoken={page.cookies['csrftoken']}",
            "X-CSRFToken": token,
            "Referer": site.url,
        }
        done = await client.post("/accounts/logout/", headers=headers)
        assert done.status_code == 302
