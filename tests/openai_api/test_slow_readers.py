"""Fifty programs that ask and do not read: their answers wait in bounded memory, and are whole in the end."""

from __future__ import annotations

import asyncio
import json
import socket
from contextlib import AsyncExitStack

from tests.openai_api.asking import ask, until_running
from tests.support import cpu_use
from tests.support import site_keys as keys
from tests.support.site import HOST, Site
from tests.support.waiting import PATIENCE_S

READERS, TOKENS = 50, 400

BYTES_PER_TOKEN = 300
"""One event: docs/api.md says about 250, and the longest pieces of the emulated text are longer."""

RECEIVE_BUFFER = 4_096
"""Of a reader's socket, so that the kernel holds little of what it does not read."""

OTHERWISE_MB = 15
"""What a site grows by at its first fifty requests, read or not: connections, rows, the stream log."""


def resident_mb(site: Site) -> float:
    return sum(use.rss_mb for use in cpu_use.use(*(child.pid for child in site.children)).values())


async def opened(stack: AsyncExitStack, site: Site, body: bytes, caller: str) -> socket.socket:
    """A connection that has asked and has not read."""
    connection = stack.enter_context(socket.socket())
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
    connection.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(connection, (HOST, site.port))
    request = (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n"
        f"Authorization: Bearer {caller}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    await loop.sock_sendall(connection, request.encode() + body)
    return connection


async def read_all(connection: socket.socket) -> bytes:
    loop, parts = asyncio.get_running_loop(), []
    async with asyncio.timeout(PATIENCE_S):
        while part := await loop.sock_recv(connection, 65_536):
            parts.append(part)
    return b"".join(parts)


async def test_who_does_not_read_costs_one_answer(api_site: Site, model: str) -> None:
    callers = await asyncio.to_thread(keys.of, api_site, READERS, 5_000)
    body = json.dumps(ask(model, stream=True, max_tokens=TOKENS)).encode()
    before = resident_mb(api_site)
    async with AsyncExitStack() as stack:
        silent = await asyncio.gather(*(opened(stack, api_site, body, caller) for caller in callers))
        await until_running(api_site, READERS)
        await until_running(api_site, 0)
        grown = resident_mb(api_site) - before
        answers = await asyncio.gather(*map(read_all, silent))
    assert grown < READERS * TOKENS * BYTES_PER_TOKEN / 1e6 + OTHERWISE_MB
    assert all(b"data: [DONE]" in answer for answer in answers)
    assert all(answer.count(b'"finish_reason":"length"') == 1 for answer in answers)
