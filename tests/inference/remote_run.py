"""A remote engine on scripted servers, with one reader."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from inference.engines.remote import RemoteEngine
from inference.replicas.settings import RemoteSettings
from tests.inference.answers import Answers
from tests.inference.scripted_server import ScriptedServer


class Running:
    """An engine on these servers with one reader."""

    def __init__(self, *servers: ScriptedServer, **settings: object) -> None:
        urls = tuple(server.url for server in servers)
        self.engine = RemoteEngine(RemoteSettings(urls=urls, **settings))  # type: ignore[arg-type]

    async def __aenter__(self) -> Running:
        self.info = await self.engine.start(lambda phase, fraction: None)
        self.answers = Answers(self.engine)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.engine.close()
        await self.answers.ended()


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - the other end of a socket announces nothing
            await asyncio.sleep(0.01)
