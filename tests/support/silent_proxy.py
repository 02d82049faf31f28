"""A TCP proxy that can stop forwarding while its connections stay open: a path that has gone silent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

CHUNK = 65_536


class SilentProxy:
    """Forwards to one address until `silence()`. Later connections are accepted, and get no answer."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._open = asyncio.Event()
        self._open.set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self.port = 0

    def silence(self) -> None:
        self._open.clear()

    def speak(self) -> None:
        """Forward again, first what came meanwhile."""
        self._open.set()

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Called with each connection. Its task is known before it has begun, so that none is left open."""
        self._writers.add(writer)
        task = asyncio.create_task(self._forward(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._open.wait()
            inner_reader, inner_writer = await asyncio.open_connection(*self._target)
            self._writers.add(inner_writer)
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._pump(reader, inner_writer))
                    group.create_task(self._pump(inner_reader, writer))
            finally:
                inner_writer.close()
        except (OSError, ExceptionGroup):
            pass
        finally:
            writer.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(CHUNK):
            await self._open.wait()
            writer.write(data)
            await writer.drain()
        raise ConnectionError  # the other direction ends too

    async def close(self) -> None:
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for writer in self._writers:
            writer.transport.abort()  # a silent end would never take what is still to be sent
        await asyncio.sleep(0)


@asynccontextmanager
async def silent_proxy(host: str, port: int) -> AsyncIterator[SilentProxy]:
    """A proxy in front of this address, on the running loop."""
    proxy = SilentProxy(host, port)
    server = await asyncio.start_server(proxy.accept, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        await proxy.close()
