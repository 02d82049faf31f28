"""The load client's websocket against a real server: every frame size, pings, closing, refusal."""

from __future__ import annotations

import asyncio

import pytest
from websockets.asyncio.server import serve

from tests.support.waiting import PATIENCE_S
from tests.support.websocket import HandshakeError, connect

SIZES = (0, 1, 125, 126, 65_535, 65_536, 200_000)


async def echo(connection):
    async for message in connection:
        await connection.send(message)


async def test_messages_of_every_length_form_go_both_ways():
    got: asyncio.Queue[bytes] = asyncio.Queue()
    async with serve(echo, "127.0.0.1", 0, max_size=None) as server:
        port = server.sockets[0].getsockname()[1]
        socket = await connect("127.0.0.1", port, "/", "a=b", lambda payload, at: got.put_nowait(payload))
        for size in SIZES:
            socket.send(b"x" * size)
            assert await asyncio.wait_for(got.get(), PATIENCE_S) == b"x" * size
        socket.close()


async def test_fragments_become_one_message_and_pings_are_answered():
    got: asyncio.Queue[bytes] = asyncio.Queue()
    answered = asyncio.Event()

    async def talk(connection):
        await connection.send(["to", "geth", "er"])
        await (await connection.ping())
        answered.set()
        await connection.close(4429)

    async with serve(talk, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        socket = await connect("127.0.0.1", port, "/", "a=b", lambda payload, at: got.put_nowait(payload))
        assert await asyncio.wait_for(got.get(), PATIENCE_S) == b"together"
        assert await asyncio.wait_for(socket.closed, PATIENCE_S) == 4429
        assert answered.is_set()


async def test_cookie_and_origin_are_the_pages_own():
    seen: asyncio.Queue[object] = asyncio.Queue()

    async def look(connection):
        seen.put_nowait(connection.request)

    async with serve(look, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        await connect("127.0.0.1", port, "/ws/chat/", "sessionid=1", lambda payload, at: None)
        request = await asyncio.wait_for(seen.get(), PATIENCE_S)
    assert request.path == "/ws/chat/"
    assert request.headers["Cookie"] == "sessionid=1"
    assert request.headers["Origin"] == f"http://127.0.0.1:{port}"


async def test_a_refused_handshake_says_so():
    async with serve(echo, "127.0.0.1", 0, process_request=lambda c, r: c.respond(403, "no")) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(HandshakeError, match="403"):
            await connect("127.0.0.1", port, "/", "", lambda payload, at: None)
