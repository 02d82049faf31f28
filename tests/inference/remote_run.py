"""A remote engine on scripted servers, with one reader."""

from __future__ import annotations

from inference.engines.remote.engine import RemoteEngine
from inference.engines.remote.settings import RemoteSettings
from tests.inference.answers import Answers
from tests.support.scripted_server import ScriptedServer


class RunningEngine:
    """An engine on these servers with one reader."""

    def __init__(self, *servers: ScriptedServer, **settings: object) -> None:
        urls = tuple(server.url for server in servers)
        self.engine = RemoteEngine(RemoteSettings(urls=urls, **settings))  # type: ignore[arg-type]

    async def __aenter__(self) -> RunningEngine:
        self.info = await self.engine.start(lambda phase, fraction: None)
        self.answers = Answers(self.engine)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.engine.close()
        await self.answers.ended()
