"""SIGTERM of a web process: tabs are sent elsewhere, and streams of programs end, whole or at the limit."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest

from chatsite.server.drain import WebDrain
from tests.support import site as sites
from tests.support import site_keys
from tests.support.kills import FAST
from tests.support.prepared import prepared_apart
from tests.support.waiting import PATIENCE_S
from tests.support.websocket import connect

pytestmark = [pytest.mark.postgres, pytest.mark.redis, pytest.mark.slow]

SLOW = {**FAST, "CHATSITE_EMULATED_STEP_S": "0.05", "CHATSITE_EMULATED_ANSWER_TOKENS": "200"}
"""Ten seconds an answer."""

SERVICE_RESTART = 1012


@pytest.fixture(scope="module")
def site() -> Iterator[sites.Site]:
    with prepared_apart(SLOW) as running:
        yield running[0]


class Web:
    """One more web process of a site, alone to be ended."""

    def __init__(self, site: sites.Site, drain_s: float) -> None:
        self.port = sites.free_port()
        command = ("daphne", "-v", "0", "-b", sites.HOST, "-p", str(self.port), "chatsite.asgi:application")
        self.process = site.spawn(
            sys.executable, "-m", *command, PORT=str(self.port), CHATSITE_DRAIN_S=f"{drain_s:.0f}"
        )
        self.site = site
        self.url = f"http://{sites.HOST}:{self.port}"

    def terminate(self) -> None:
        os.kill(self.process.pid, signal.SIGTERM)

    async def ended(self) -> int:
        code = await asyncio.to_thread(self.process.wait, PATIENCE_S)
        self.site.children.remove(self.process)
        return code


async def started(site: sites.Site, drain_s: float) -> Web:
    web = Web(site, drain_s)
    async with asyncio.timeout(PATIENCE_S), httpx.AsyncClient(trust_env=False, timeout=PATIENCE_S) as client:
        while True:
            try:
                if (await client.get(web.url + "/healthz")).status_code == 200:
                    return web
            except httpx.TransportError:
                await asyncio.sleep(0.05)


def question(site: sites.Site) -> dict[str, Any]:
    (key,) = site_keys.of(site, 1)
    headers = {"Authorization": f"Bearer {key}"}
    models = httpx.get(site.url + "/v1/models", headers=headers, trust_env=False, timeout=PATIENCE_S)
    model = models.json()["data"][0]["id"]
    body = {"model": model, "stream": True, "messages": [{"role": "user", "content": "Tell me"}]}
    return {"json": body, "headers": headers}


async def first_text(lines: AsyncIterator[str]) -> None:
    async for line in lines:
        if '"content":"' in line:
            return


async def collect(lines: AsyncIterator[str], into: list[str]) -> None:
    """What comes before the connection breaks counts too."""
    async for line in lines:
        into.append(line)  # noqa: PERF401


async def test_a_stream_ends_whole_and_tabs_are_sent_elsewhere(site: sites.Site) -> None:
    web = await started(site, PATIENCE_S)
    tabs = [await connect(sites.HOST, web.port, "/ws/chat/", one, lambda *_: None) for one in site.people(5)]
    async with httpx.AsyncClient(base_url=web.url, trust_env=False, timeout=PATIENCE_S) as client:
        kept = httpx.Limits(keepalive_expiry=None)
        ready = httpx.AsyncClient(base_url=web.url, trust_env=False, timeout=PATIENCE_S, limits=kept)
        asked = question(site)
        assert (await ready.get("/readyz")).status_code == 200
        assert (await ready.get("/healthz?accepting")).status_code == 200
        async with client.stream("POST", "/v1/chat/completions", **asked) as answer:
            assert answer.status_code == 200
            lines = answer.aiter_lines()
            await first_text(lines)
            web.terminate()
            assert await asyncio.gather(*(tab.closed for tab in tabs)) == [SERVICE_RESTART] * len(tabs)
            # Over a kept connection, as a balancer asks; a new one is not accepted any more.
            told = await ready.get("/readyz")
            assert (told.status_code, told.json()["draining"]) == (503, True)
            assert told.headers["connection"] == "close"
            with pytest.raises(httpx.ConnectError):
                await ready.get("/readyz")
            rest = [line async for line in lines]
        await ready.aclose()
    assert "data: [DONE]" in rest
    assert await web.ended() == 0


async def test_a_stream_that_outlasts_the_drain_is_cut(site: sites.Site) -> None:
    web = await started(site, 1)
    asked = question(site)
    rest: list[str] = []
    async with (
        httpx.AsyncClient(base_url=web.url, trust_env=False, timeout=PATIENCE_S) as client,
        client.stream("POST", "/v1/chat/completions", **asked) as answer,
    ):
        lines = answer.aiter_lines()
        await first_text(lines)
        web.terminate()
        with pytest.raises(httpx.RemoteProtocolError):
            await collect(lines, rest)
    assert "data: [DONE]" not in rest
    assert await web.ended() == 0


async def test_beside_an_engine_that_has_ended_nothing_is_waited_for() -> None:
    """A request whose question waits in the queue would never be answered here."""
    drain = WebDrain()
    drain.alone, drain.limit_s = True, 10 * PATIENCE_S
    waiting = asyncio.get_running_loop().create_future()
    async with asyncio.timeout(PATIENCE_S):
        await drain.run({object(): {"application_instance": waiting}})
    assert drain.begun
    waiting.cancel()


async def test_an_idle_process_ends_at_once(site: sites.Site) -> None:
    """Nothing is waited for: not even the notice to balancers, who have no connection here."""
    web = await started(site, PATIENCE_S)
    web.terminate()
    assert await web.ended() == 0
