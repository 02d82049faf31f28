"""Storms that one member or one stranger can make against a site, each until it is told to end.

What the attacker was answered is counted in words that a person would be shown, so that a caller can see
whether they were told clearly.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import msgspec

from chatsite.streaming import frames
from tests.support.chat_client import PATH, Person
from tests.support.site import HOST, Site
from tests.support.websocket import TEXT, connect, frame

ATTACKER, PROXY = "127.0.0.2", "127.0.0.3"
"""Addresses from which they come: a stranger's own, and a trusted proxy's with many strangers behind it."""

SETTINGS = {
    "CHATSITE_ENGINE": "emulated",
    "RATE_LIMIT_PER_MINUTE": "100000",
    "CHATSITE_LOG_LEVEL": "WARNING",
    "CHATSITE_TRUSTED_PROXIES": PROXY,
}

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
PART_BYTES = 10**6
RECEIVE_BUFFER = 4_096
"""Of a connection that does not read, so that the kernel holds little for it."""

SEARCHERS, READERS, SOCKETS, GUESSES, HALF_OPEN, BODIES = 20, 30, 5, 100, 900, 20
TIMEOUT_S = 120

DRIP_S = 5.0
"""Between two bytes of a header that never ends."""

ANSWER_TOKENS = 2_000


def conversation(messages: int, chars: int) -> bytes:
    """A conversation in the site's own format; each message has about so many characters of other words."""
    id = uuid4().hex
    turns = [
        {
            "id": f"{id}-{n}",
            "parent": f"{id}-{n - 1}" if n else None,
            "role": "assistant" if n % 2 else "user",
            "content": " ".join(f"word{(n * 17 + w) % 7919} needle" for w in range(max(1, chars // 16))),
            "created_at": (BEGIN + timedelta(seconds=n)).isoformat(),
        }
        for n in range(messages)
    ]
    record = {
        "format": "chatsite.conversation", "version": 1, "id": id, "title": f"Storm {id}",
        "created_at": BEGIN.isoformat(), "updated_at": BEGIN.isoformat(), "messages": turns,
    }  # fmt: skip
    return json.dumps(record).encode()


@dataclass
class Attacker:
    """A member with long messages and an answer, and what they and strangers were told."""

    site: Site
    cookie: str
    token: str = ""
    conversation: str = ""
    generation: str = ""
    told: Counter[str] = field(default_factory=Counter)

    def client(self, address: str = ATTACKER) -> httpx.AsyncClient:
        """A browser of theirs."""
        headers = {"Cookie": f"{self.cookie}; csrftoken={self.token}", "X-CSRFToken": self.token}
        transport = httpx.AsyncHTTPTransport(local_address=address, limits=httpx.Limits(max_connections=None))
        return httpx.AsyncClient(
            base_url=self.site.url, headers=headers | {"Referer": self.site.url}, transport=transport,
            timeout=TIMEOUT_S,
        )  # fmt: skip

    async def prepare(self, messages: int, chars: int) -> None:
        """Import the long messages, and have one answer made."""
        async with self.client() as client:
            page = await client.get("/")
            self.token = page.cookies["csrftoken"]
        async with self.client() as client:
            await self.import_file(client, conversation(messages, chars))
            listed = (await client.get("/api/conversations")).json()["conversations"]
            self.conversation = listed[0]["id"]
        person = Person(0, HOST, self.site.port, self.cookie)
        await person.connect()
        self.generation = (await person.ask("Tell me a long story.", ANSWER_TOKENS)).generation
        person.close()

    async def import_file(self, client: httpx.AsyncClient, content: bytes) -> None:
        """Import a file to its end, as the page does."""
        job = (await client.post("/api/archive/imports", json={"size": len(content)})).json()
        for offset in range(0, len(content), PART_BYTES):
            path = f"/api/archive/{job['id']}/data?offset={offset}"
            answer = await client.put(path, content=content[offset : offset + PART_BYTES])
            answer.raise_for_status()
        while job["status"] in ("receiving", "queued", "running"):
            await asyncio.sleep(0.2)
            with suppress(httpx.TransportError):
                job = (await client.get(f"/api/archive/{job['id']}")).json()
        self.told[f"import {job['status']} {job['message']}".strip()] += 1

    def note(self, answer: httpx.Response) -> None:
        """Count the status, with the words of a refusal."""
        words = ""
        if answer.status_code >= 400:
            with suppress(ValueError, KeyError, TypeError):
                words = answer.json()["error"]["message"]
            if found := re.search(r'role="alert"[^>]*>([^<]+)<', answer.text):
                words = found[1].strip()
        self.told[f"{answer.status_code} {words}".strip()] += 1


Storm = Callable[[Attacker, asyncio.Event], Coroutine[Any, Any, None]]


async def _many(count: int, one: Callable[[int], Awaitable[None]], over: asyncio.Event) -> None:
    """So many at once, each again and again until it is over."""

    async def again(number: int) -> None:
        while not over.is_set():
            await one(number)
            await asyncio.sleep(0.01)

    tasks = [asyncio.create_task(again(number)) for number in range(count)]
    await over.wait()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def searches(attacker: Attacker, over: asyncio.Event) -> None:
    """Twenty clients search the person's own long messages."""
    async with attacker.client() as client:

        async def search(number: int) -> None:
            attacker.note(
                await client.get("/api/search", params={"q": f"needle word{number} zz"[: 14 + number % 3]})
            )

        await _many(SEARCHERS, search, over)


async def unread_conversations(attacker: Attacker, over: asyncio.Event) -> None:
    """Thirty requests for the person's own long conversation, not one of them read."""
    request = (
        f"GET /api/conversations/{attacker.conversation} HTTP/1.1\r\nHost: {HOST}:{attacker.site.port}\r\n"
        f"Cookie: {attacker.cookie}\r\n\r\n"
    ).encode()
    opened = [await _raw(attacker.site) for _ in range(READERS)]
    loop = asyncio.get_running_loop()
    for one in opened:
        await loop.sock_sendall(one, request)
    await over.wait()
    for one in opened:
        head = b""
        with suppress(BlockingIOError, ConnectionError):
            head = one.recv(2_048)
        words = re.search(rb'"message":"([^"]*)"', head)
        said = words[1].decode() if words and b" 429 " in head else ""
        attacker.told[f"{head[9:12].decode() or 'nothing yet'} {said}".strip()] += 1
        one.close()


async def unread_sockets(attacker: Attacker, over: asyncio.Event) -> None:
    """Sockets that are never read and follow the same long answer again and again."""
    again = msgspec.json.encode(frames.Follow(generation=UUID(attacker.generation), after=0))
    opened = [
        await connect(HOST, attacker.site.port, PATH, attacker.cookie, lambda *_: None)
        for _ in range(SOCKETS)
    ]
    for one in opened:
        assert one._transport is not None
        one._transport.pause_reading()
    while not over.is_set():
        for one in opened:
            if one._transport is not None and not one._transport.is_closing():
                one._transport.write(frame(TEXT, again))
        await asyncio.sleep(1 / 15)
    for one in opened:
        assert one._transport is not None
        attacker.told["closed" if one._transport.is_closing() else "open, unread"] += 1
        one._transport.abort()


async def wrong_passwords(attacker: Attacker, over: asyncio.Event) -> None:
    """A hundred wrong passwords at once, from as many addresses, for as many accounts."""
    async with attacker.client(PROXY) as client:

        async def guess(number: int) -> None:
            form = {
                "login": f"person{number}@bench.invalid", "password": "wrong password",
                "csrfmiddlewaretoken": attacker.token,
            }  # fmt: skip
            headers = {
                "X-Forwarded-For": f"198.51.{number % 250}.{uuid4().int % 250}",
                "Cookie": f"csrftoken={attacker.token}",
            }
            attacker.note(await client.post("/accounts/login/", data=form, headers=headers))

        await _many(GUESSES, guess, over)


async def half_open(attacker: Attacker, over: asyncio.Event) -> None:
    """Connections that send a byte of a header every few seconds."""
    opened: list[socket.socket] = []

    async def hold(_: int) -> None:
        try:
            one = await _raw(attacker.site)
        except OSError as error:
            attacker.told[type(error).__name__] += 1
            await asyncio.sleep(1)
            return
        opened.append(one)
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[bytes] | None = None
        try:
            await loop.sock_sendall(one, b"GET / HTTP/1.1\r\nX-Slow: ")
            answered = asyncio.ensure_future(loop.sock_recv(one, 1_024))
            while True:
                done, _pending = await asyncio.wait([answered], timeout=DRIP_S)
                if done:
                    attacker.told[answered.result()[9:12].decode() or "closed"] += 1
                    return
                await loop.sock_sendall(one, b"x")
        except ConnectionError:
            attacker.told["closed"] += 1
        finally:
            if answered is not None:
                answered.cancel()
            one.close()

    await _many(HALF_OPEN, hold, over)
    for one in opened:
        one.close()


async def endless_bodies(attacker: Attacker, over: asyncio.Event) -> None:
    """Endless bodies to the sign-in page, by nobody."""
    head = (
        f"POST /accounts/login/ HTTP/1.1\r\nHost: {HOST}:{attacker.site.port}\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked\r\n\r\n"
    ).encode()
    piece = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"

    async def send(_: int) -> None:
        try:
            reader, writer = await asyncio.open_connection(HOST, attacker.site.port, local_addr=(ATTACKER, 0))
        except OSError as error:
            attacker.told[type(error).__name__] += 1
            await asyncio.sleep(1)
            return
        try:
            writer.write(head)
            with suppress(ConnectionError):
                while not writer.is_closing() and not reader._buffer:  # type: ignore[attr-defined]
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0)
            with suppress(ConnectionError):
                attacker.told[(await reader.read(64))[9:12].decode() or "closed"] += 1
        finally:
            writer.transport.abort()

    await _many(BODIES, send, over)


def imports(messages: int) -> Storm:
    """One long conversation after the other is imported."""

    async def storm(attacker: Attacker, over: asyncio.Event) -> None:
        content = await asyncio.to_thread(conversation, messages, 200)
        async with attacker.client() as client:
            while not over.is_set():
                await attacker.import_file(client, content)

    return storm


async def _raw(site: Site) -> socket.socket:
    """A connection from the attacker's address that holds little."""
    one = socket.socket()
    one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
    one.setblocking(False)
    one.bind((ATTACKER, 0))
    await asyncio.get_running_loop().sock_connect(one, (HOST, site.port))
    return one


STORMS: dict[str, Storm] = {
    "imports": imports(5_000),
    "searches in long messages": searches,
    "unread conversations": unread_conversations,
    "unread sockets": unread_sockets,
    "half-open connections": half_open,
    "endless bodies": endless_bodies,
    "wrong passwords": wrong_passwords,
}
