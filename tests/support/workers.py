"""Inference processes of a site, one by one: who owns the queue, and how each of them ends."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import httpx

from tests.support import site as sites
from tests.support.kills import start_worker, worker_of
from tests.support.silent_proxy import SilentProxy, silent_proxy
from tests.support.waiting import PATIENCE_S


class Worker:
    """An inference process, and what it says of itself. `settings`: its own, over the site's."""

    def __init__(self, site: sites.Site, **settings: str) -> None:
        self.port = sites.free_port()
        self.site = site
        self.process = start_worker(site, CHATSITE_METRICS_PORT=str(self.port), **settings)

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.process.pid, number)

    async def until_role(self, role: str) -> None:
        async with (
            asyncio.timeout(PATIENCE_S),
            httpx.AsyncClient(trust_env=False, timeout=PATIENCE_S) as client,
        ):
            while await self._role(client) != role:  # noqa: ASYNC110 - it announces nothing
                await asyncio.sleep(0.05)

    async def _role(self, client: httpx.AsyncClient) -> str:
        try:
            answer = await client.get(f"http://127.0.0.1:{self.port}/healthz")
        except httpx.TransportError:
            return ""
        return str(answer.json()["role"])

    async def ended(self) -> int:
        """Its exit code, once it has ended by itself."""
        code = await asyncio.to_thread(self.process.wait, PATIENCE_S)
        self.site.children.remove(self.process)
        return code

    async def end(self) -> None:
        """End it if it has not ended, whatever it is doing."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        if self.process in self.site.children:
            await self.ended()


def end_first_worker(site: sites.Site) -> None:
    """End the inference process that the site came with."""
    worker = worker_of(site)
    worker.terminate()
    worker.wait(PATIENCE_S)
    site.children.remove(worker)


@asynccontextmanager
async def cut_path(site: sites.Site) -> AsyncIterator[tuple[SilentProxy, dict[str, str]]]:
    """A proxy in front of the site's PostgreSQL, and the settings of a process that goes through it."""
    database = urlsplit(site.environment["DATABASE_URL"])
    async with silent_proxy(database.hostname or "127.0.0.1", database.port or 5432) as proxy:
        address = database._replace(netloc=f"{database.username}@127.0.0.1:{proxy.port}")
        yield proxy, {"DATABASE_URL": address.geturl()}
